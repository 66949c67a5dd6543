import type { ChildProcess } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../packages/hub/test/support/ports.ts'
import type { Backend } from './backends.ts'
import { nginxConfig } from './nginx-config.ts'
import {
  type Place,
  childrenOf,
  cpuSecondsOf,
  endProgram,
  findProgram,
  memoryOf,
  openFilesOf,
  startProgram,
  untilAccepting,
  versionOf,
} from './processes.ts'
import { token } from './route-api.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A proxy under test. */
export interface ProxyPeer {
  readonly name: string
  readonly port: number
  /** Of its REST API, where it has configurable-http-proxy's. */
  readonly apiPort: number | undefined
  /** User and system time so far, in seconds, of the processes that serve. */
  cpuSeconds(): number
  /** Files and sockets that the processes that serve have open. */
  openFiles(): number
  /** Resident memory of the processes that serve. */
  memoryBytes(): number
  /** Has garbage collected now, where the proxy was started so that it can. */
  collect(): void
  stop(): Promise<void>
}

/** A kind of proxy: what it is called, how it is set, and how one is started. */
export interface ProxyKind {
  readonly name: string
  /** With its version. */
  readonly settings: string
  /** Why it is left out; it is on the machine without. */
  readonly missing?: string
  start(backend: Backend): Promise<ProxyPeer>
}

const collectOnSignal = [
  '--expose-gc',
  `--import=${new URL('programs/collect-on-signal.ts', import.meta.url).href}`,
]
const main = join(root, 'packages/hub/src/main.ts')
const edgeArgs = ['--disable-warning=ExperimentalWarning', main, 'edge']
const node = `Node ${process.versions.node}`

export const orrery: ProxyKind = {
  name: 'Orrery edge, 1 worker',
  settings: `${node}, --workers 1, as nginx with one worker process`,
  start: () => startOrreryEdge(),
}

export const orreryOfAllCores: ProxyKind = {
  name: 'Orrery edge, default workers',
  settings: `${node}, as it comes: a thread for each core`,
  start: () => startRouted(orreryOfAllCores.name, edgeArgs, { place: 'anywhere' }),
}

const chpFolder = [root, join(root, 'bench')]
  .map((folder) => join(folder, 'node_modules/configurable-http-proxy'))
  .find(existsSync)

export const chp: ProxyKind = {
  name: 'configurable-http-proxy',
  settings: `${chpFolder === undefined ? '' : packageVersion(chpFolder)} on ${node}, as it comes`,
  ...(chpFolder === undefined && { missing: 'not installed: npm run setup brings it' }),
  start: () => startRouted(chp.name, [join(chpFolder ?? '', 'bin/configurable-http-proxy')]),
}

const nginxProgram = findProgram('nginx')
const haproxyProgram = findProgram('haproxy')

export const nginx: ProxyKind = nginxOf('nginx', 1)
export const nginxOfTwo: ProxyKind = nginxOf('nginx, 2 workers', 2)

export const haproxy: ProxyKind = {
  name: 'HAProxy',
  settings: `${versionText(haproxyProgram, '-v')}, nbthread 1, http-reuse always`,
  ...(haproxyProgram === undefined && { missing: 'haproxy is not on the PATH' }),
  start: startHaproxy,
}

export const pipe: ProxyKind = {
  name: 'raw Node pipe',
  settings: `${node}, bytes passed unread, a socket to the target for each client`,
  start: startPipe,
}

/** The target itself: what the client and the target take of the latencies. */
export const noProxy: ProxyKind = {
  name: 'no proxy',
  settings: 'the client asks the target itself: the floor of the latencies',
  start: async (backend) => ({
    name: noProxy.name,
    port: Number(new URL(backend.url).port),
    apiPort: undefined,
    cpuSeconds: () => Number.NaN,
    openFiles: () => Number.NaN,
    memoryBytes: () => Number.NaN,
    collect: () => undefined,
    stop: () => Promise.resolve(),
  }),
}

/** All that a row can compare. */
export const kinds: readonly ProxyKind[] = [
  orrery,
  orreryOfAllCores,
  chp,
  nginx,
  nginxOfTwo,
  haproxy,
  pipe,
  noProxy,
]

/** @param flags - further ones of `orrery edge`. */
export function startOrreryEdge(flags: readonly string[] = []): Promise<ProxyPeer> {
  return startRouted(orrery.name, [...edgeArgs, '--workers', '1'], { flags })
}

/**
 * An edge that follows a hub, with its own page for what it does not find.
 * @param flags - further ones of `orrery edge`.
 */
export function startFollowingEdge(
  hubUrl: string,
  flags: readonly string[] = [],
): Promise<ProxyPeer> {
  const following = ['--hub-url', hubUrl, '--error-path', root]
  return startRouted(orrery.name, edgeArgs, { flags: [...following, ...flags], place: 'anywhere' })
}

interface RoutedOptions {
  readonly flags?: readonly string[]
  readonly place?: Place
}

async function startRouted(
  name: string,
  args: readonly string[],
  { flags = [], place = 'server' }: RoutedOptions = {},
): Promise<ProxyPeer> {
  const [port, apiPort] = [await freePort(), await freePort()]
  const at = ['--ip', '127.0.0.1', '--port', port, '--api-ip', '127.0.0.1', '--api-port', apiPort]
  const all = [...collectOnSignal, ...args, ...at.map(String), '--log-level', 'error', ...flags]
  const env = { CONFIGPROXY_AUTH_TOKEN: token }
  const child = startProgram(process.execPath, all, { place, env })
  await untilAccepting(child, apiPort)
  await untilAccepting(child, port)
  return peer({ name, port, child, apiPort, canCollect: true })
}

function nginxOf(name: string, workers: number): ProxyKind {
  const listens = workers > 1 ? 'reuseport' : ''
  return {
    name,
    settings:
      `${versionText(nginxProgram, '-v')}, worker_processes ${workers} ${listens}, upstream keepalive 256, ` +
      'access_log off, no buffering of bodies',
    ...(nginxProgram === undefined && { missing: 'nginx is not on the PATH' }),
    start: (backend) => startNginx(backend, { name, workers, listens }),
  }
}

async function startNginx(
  backend: Backend,
  { name, workers, listens }: { name: string; workers: number; listens: string },
): Promise<ProxyPeer> {
  const folder = await mkdtemp(join(tmpdir(), 'orrery-bench-'))
  const port = await freePort()
  const config = nginxConfig(folder, {
    workers,
    http: `
    upstream target { server ${backend.url.slice(7)}; keepalive 256; keepalive_requests 1000000000; }
    map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
    server { listen 127.0.0.1:${port} backlog=4096 ${listens}; location / {
      proxy_pass http://target; proxy_http_version 1.1; proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host;
      proxy_buffering off; } }`,
  })
  const child = startProgram(nginxProgram ?? '', ['-p', folder, '-e', 'stderr', '-c', config], {
    place: workers > 1 ? 'anywhere' : 'server',
  })
  await untilAccepting(child, port)
  return peer({ name, port, child, folder, areChildrenServing: true })
}

async function startHaproxy(backend: Backend): Promise<ProxyPeer> {
  const folder = await mkdtemp(join(tmpdir(), 'orrery-bench-'))
  const port = await freePort()
  const config = join(folder, 'haproxy.cfg')
  writeFileSync(
    config,
    `
global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout client 1m
  timeout server 1m
  timeout connect 10s
  timeout tunnel 1h
  option forwardfor
  http-reuse always
frontend public
  bind 127.0.0.1:${port} backlog 4096
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  default_backend target
backend target
  server one ${backend.url.slice(7)}
`,
  )
  const child = startProgram(haproxyProgram ?? '', ['-db', '-f', config])
  await untilAccepting(child, port)
  return peer({ name: haproxy.name, port, child, folder })
}

/** Bytes passed between two sockets, unread: what Node's sockets allow at most. */
async function startPipe(backend: Backend): Promise<ProxyPeer> {
  const port = await freePort()
  const args = [join(root, 'bench/src/programs/pipe.ts'), String(port), new URL(backend.url).port]
  const child = startProgram(process.execPath, args)
  await untilAccepting(child, port)
  return peer({ name: pipe.name, port, child })
}

function peer(options: {
  readonly name: string
  readonly port: number
  readonly child: ChildProcess
  readonly apiPort?: number
  readonly folder?: string
  readonly areChildrenServing?: boolean
  readonly canCollect?: boolean
}): ProxyPeer {
  const { name, port, child, apiPort, folder } = options
  const pid = child.pid ?? 0
  const pids = options.areChildrenServing === true ? childrenOf(pid) : [pid]
  const sum = (of: (pid: number) => number): number => pids.reduce((all, one) => all + of(one), 0)
  return {
    name,
    port,
    apiPort,
    cpuSeconds: () => sum(cpuSecondsOf),
    memoryBytes: () => sum(memoryOf),
    collect: () => {
      if (options.canCollect === true) child.kill('SIGUSR2')
    },
    openFiles: () => sum(openFilesOf),
    stop: () => endProgram(child, folder),
  }
}

function versionText(program: string | undefined, flag: string): string {
  return program === undefined ? '' : versionOf(program, flag)
}

function packageVersion(folder: string): string {
  const text = readFileSync(join(folder, 'package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
