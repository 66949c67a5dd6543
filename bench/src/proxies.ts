import { type ChildProcess, spawn } from 'node:child_process'
import {
  accessSync,
  constants,
  existsSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const clockTicksPerSecond = 100
const token = 'bench-token-0123456789abcdef'

/** A proxy under test, with one worker where that can be said. */
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
  stop(): Promise<void>
}

/** The server behind the proxies: answers every request with the same bytes. */
export interface Backend {
  readonly url: string
  readonly name: string
  stop(): Promise<void>
}

export const bodyBytes = 1024

/** nginx when it is on the PATH, since it leaves more of the machine to the proxies; else Node. */
export async function startBackend(): Promise<Backend> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const nginx = findProgram('nginx')
  if (nginx === undefined) {
    const child = start(process.execPath, [
      join(root, 'bench/src/programs/backend.ts'),
      String(port),
    ])
    await untilAccepting(child, port)
    return { url, name: 'Node', stop: () => end(child) }
  }
  const folder = await mkdtemp(join(tmpdir(), 'orrery-bench-'))
  const config = nginxConfig(
    folder,
    `
    server { listen 127.0.0.1:${port} backlog=4096; location / {
      default_type text/plain; return 200 "${'x'.repeat(bodyBytes)}"; } }`,
  )
  const child = start(nginx, ['-p', folder, '-e', 'stderr', '-c', config])
  await untilAccepting(child, port)
  return { url, name: 'nginx', stop: () => end(child, folder) }
}

/** For large bodies and WebSockets: by Node, since nginx answers neither by itself. */
export async function startStreamBackend(): Promise<Backend> {
  const port = await freePort()
  const program = join(root, 'bench/src/programs/bodies-and-websockets.ts')
  const child = start(process.execPath, [program, String(port)])
  await untilAccepting(child, port)
  return { url: `http://127.0.0.1:${port}`, name: 'Node', stop: () => end(child) }
}

/** @param flags - further ones of `orrery edge`. */
export async function startOrreryEdge(flags: readonly string[] = []): Promise<ProxyPeer> {
  const main = join(root, 'packages/hub/src/main.ts')
  const args = ['--disable-warning=ExperimentalWarning', main, 'edge', '--workers', '1']
  return startRouted('Orrery edge', args, flags)
}

/** configurable-http-proxy of this workspace. */
export async function startChp(): Promise<ProxyPeer | undefined> {
  const program = [root, join(root, 'bench')]
    .map((folder) =>
      join(folder, 'node_modules/configurable-http-proxy/bin/configurable-http-proxy'),
    )
    .find(existsSync)
  return program === undefined ? undefined : startRouted('configurable-http-proxy', [program])
}

async function startRouted(
  name: string,
  args: readonly string[],
  flags: readonly string[] = [],
): Promise<ProxyPeer> {
  const [port, apiPort] = [await freePort(), await freePort()]
  const listen = [
    '--ip',
    '127.0.0.1',
    '--port',
    port,
    '--api-ip',
    '127.0.0.1',
    '--api-port',
    apiPort,
  ]
  const child = start(process.execPath, [
    ...args,
    ...listen.map(String),
    '--log-level',
    'error',
    ...flags,
  ])
  await untilAccepting(child, apiPort)
  await untilAccepting(child, port)
  return peer(name, port, child, { apiPort })
}

export async function startNginx(backend: Backend): Promise<ProxyPeer | undefined> {
  const program = findProgram('nginx')
  if (program === undefined) return undefined
  const folder = await mkdtemp(join(tmpdir(), 'orrery-bench-'))
  const port = await freePort()
  const config = nginxConfig(
    folder,
    `
    upstream target { server ${backend.url.slice(7)}; keepalive 256; keepalive_requests 1000000000; }
    map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
    server { listen 127.0.0.1:${port} backlog=4096; location / {
      proxy_pass http://target; proxy_http_version 1.1; proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host;
      proxy_buffering off; } }`,
  )
  const child = start(program, ['-p', folder, '-e', 'stderr', '-c', config])
  await untilAccepting(child, port)
  return peer('nginx', port, child, { folder, areChildrenServing: true })
}

export async function startHaproxy(backend: Backend): Promise<ProxyPeer | undefined> {
  const program = findProgram('haproxy')
  if (program === undefined) return undefined
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
  const child = start(program, ['-db', '-f', config])
  await untilAccepting(child, port)
  return peer('HAProxy', port, child, { folder })
}

/** Bytes passed between two sockets, unread: what Node's sockets allow at most. */
export async function startPipe(backend: Backend): Promise<ProxyPeer> {
  const port = await freePort()
  const args = [join(root, 'bench/src/programs/pipe.ts'), String(port), new URL(backend.url).port]
  const child = start(process.execPath, args)
  await untilAccepting(child, port)
  return peer('raw Node pipe', port, child, {})
}

/** Adds a route; resolves once it is answered for. */
export function addRoute(peerOf: ProxyPeer, path: string, target: string): Promise<void> {
  return changeRoute(peerOf, path, {
    method: 'POST',
    body: JSON.stringify({ target }),
    wanted: 201,
  })
}

export function deleteRoute(peerOf: ProxyPeer, path: string): Promise<void> {
  return changeRoute(peerOf, path, { method: 'DELETE', body: '', wanted: 204 })
}

function changeRoute(
  peerOf: ProxyPeer,
  path: string,
  change: { readonly method: string; readonly body: string; readonly wanted: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port: peerOf.apiPort,
        path: `/api/routes${path}`,
        method: change.method,
        headers: { Authorization: `token ${token}` },
      },
      (answer) => {
        answer.resume()
        if (answer.statusCode === change.wanted) resolve()
        else
          reject(
            new Error(`${change.method} of a route of ${peerOf.name} gave ${answer.statusCode}`),
          )
      },
    )
    sent.once('error', reject)
    sent.end(change.body)
  })
}

export const routeTarget = (backend: Backend) => ({
  token,
  body: JSON.stringify({ target: backend.url, user: 'ada', server_name: '', jupyterhub: true }),
})

/** A program on the PATH. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return folders.map((folder) => join(folder, name)).find(isProgram)
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function nginxConfig(folder: string, http: string): string {
  const path = join(folder, 'nginx.conf')
  writeFileSync(
    path,
    `
worker_processes 1; daemon off; error_log stderr crit; pid ${folder}/pid;
events { worker_connections 32768; }
http { access_log off; client_max_body_size 0; proxy_request_buffering off; keepalive_requests 1000000000; keepalive_timeout 75s;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f;
  uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s; ${http} }
`,
  )
  return path
}

function start(command: string, args: readonly string[]): ChildProcess {
  const env = { ...process.env, CONFIGPROXY_AUTH_TOKEN: token }
  return spawn(command, args, { stdio: 'ignore', env })
}

function peer(
  name: string,
  port: number,
  child: ChildProcess,
  options: { apiPort?: number; folder?: string; areChildrenServing?: boolean },
): ProxyPeer {
  const pid = child.pid ?? 0
  const pids = options.areChildrenServing === true ? childrenOf(pid) : [pid]
  const sum = (of: (pid: number) => number): number => pids.reduce((all, one) => all + of(one), 0)
  return {
    name,
    port,
    apiPort: options.apiPort,
    cpuSeconds: () => sum(cpuSecondsOf),
    memoryBytes: () => sum(memoryOf),
    openFiles: () => sum((one) => readdirSync(`/proc/${one}/fd`).length),
    stop: () => end(child, options.folder),
  }
}

async function end(child: ChildProcess, folder?: string): Promise<void> {
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  if (child.exitCode === null) {
    child.kill('SIGTERM')
    await Promise.race([ended, delay(10_000).then(() => child.kill('SIGKILL'))])
  }
  if (folder !== undefined) await rm(folder, { recursive: true, force: true, maxRetries: 5 })
}

async function untilAccepting(child: ChildProcess, port: number): Promise<void> {
  const giveUpAt = Date.now() + 60_000
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended with ${child.exitCode}`)
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined)
    await answer?.body?.cancel()
    if (answer !== undefined) return
    if (Date.now() > giveUpAt) throw new Error(`${child.spawnfile} did not listen within a minute`)
    await delay(100)
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((one) => statOf(one)?.[1] === String(pid))
}

/** Fields of `/proc/PID/stat` from the third on; `undefined` when there is no such process. */
function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

/** Fields 14 and 15: of all threads, the compiler's and the collector's too. */
function cpuSecondsOf(pid: number): number {
  const fields = statOf(pid)
  return (Number(fields?.[11]) + Number(fields?.[12])) / clockTicksPerSecond
}

function memoryOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) * 1024
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
