import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../packages/hub/test/support/ports.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const clockTicksPerSecond = 100

/** A hub under test. */
export interface Peer {
  readonly name: string
  readonly hubPort: number
  readonly token: string
  /** User and system time of the hub process so far, in seconds. */
  cpuSeconds(): number
  stop(): Promise<void>
}

const token = 'bench-token-0123456789abcdef'

/** The same file for both: what is measured is the program, not its settings. */
function configText(ports: { public: number; hub: number; api: number }): string {
  return `
c.JupyterHub.ip = '127.0.0.1'
c.JupyterHub.port = ${ports.public}
c.JupyterHub.hub_port = ${ports.hub}
c.ConfigurableHTTPProxy.api_url = 'http://127.0.0.1:${ports.api}'
c.JupyterHub.authenticator_class = 'dummy'
c.JupyterHub.spawner_class = 'simple'
c.Authenticator.admin_users = {'ada'}
c.Authenticator.allow_all = True
c.JupyterHub.services = [{'name': 'bench', 'api_token': '${token}', 'admin': True}]
c.JupyterHub.log_level = 30
`
}

export async function startOrrery(): Promise<Peer> {
  const main = join(root, 'packages/hub/src/main.ts')
  return startPeer('Orrery', (folder) => ({
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', main, `--data-dir=${join(folder, 'data')}`],
  }))
}

/** JupyterHub from the private environment or the PATH; `undefined` when there is none. */
export async function startJupyterHub(): Promise<Peer | undefined> {
  const places = [join(root, '.orrery/venv/bin'), ...(process.env['PATH'] ?? '').split(delimiter)]
  const own = join(root, 'node_modules/.bin')
  const folder = places.find(
    (place) =>
      place !== own &&
      existsSync(join(place, 'jupyterhub')) &&
      existsSync(join(place, 'jupyterhub-singleuser')),
  )
  if (folder === undefined) return undefined
  return startPeer('JupyterHub', () => ({ command: join(folder, 'jupyterhub'), args: [] }))
}

async function startPeer(
  name: string,
  program: (folder: string) => { command: string; args: readonly string[] },
): Promise<Peer> {
  const folder = await mkdtemp(join(tmpdir(), 'orrery-bench-'))
  const ports = { public: await freePort(), hub: await freePort(), api: await freePort() }
  writeFileSync(join(folder, 'jupyterhub_config.py'), configText(ports))
  const { command, args } = program(folder)
  const env = {
    ...process.env,
    PATH: `${join(root, 'node_modules/.bin')}${delimiter}${dirname(command)}${delimiter}${process.env['PATH'] ?? ''}`,
  }
  const child = spawn(command, args, { cwd: folder, stdio: 'ignore', env })
  await untilAnswering(child, name, ports.hub)
  const pid = child.pid ?? 0
  return {
    name,
    hubPort: ports.hub,
    token,
    cpuSeconds: () => cpuSecondsOf(pid),
    async stop() {
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
      child.kill('SIGTERM')
      await Promise.race([ended, delay(15_000).then(() => child.kill('SIGKILL'))])
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

async function untilAnswering(child: ChildProcess, name: string, port: number): Promise<void> {
  const giveUpAt = Date.now() + 60_000
  for (;;) {
    if (child.exitCode !== null)
      throw new Error(`${name} ended with ${child.exitCode} at its start`)
    const answer = await fetch(`http://127.0.0.1:${port}/hub/api/`).catch(() => undefined)
    await answer?.body?.cancel()
    if (answer?.status === 200) return
    if (Date.now() > giveUpAt) throw new Error(`${name} did not answer within a minute`)
    await delay(100)
  }
}

/** Fields 14 and 15 of `/proc/PID/stat`. */
function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / clockTicksPerSecond
}
