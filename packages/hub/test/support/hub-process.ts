import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Agent, fetch as undiciFetch } from 'undici'
import { freePort } from './ports.ts'

type ConfigFile = Readonly<Record<string, Readonly<Record<string, unknown>>>>

export interface HubProcessOptions {
  /** Content of `jupyterhub_config.json`, perhaps with the public port in it. */
  readonly config: ConfigFile | ((port: number) => ConfigFile)
  /** `sqlite` when left out. */
  readonly dbUrl?: string
  /** Gives the `simple` spawner home folders inside the installation. */
  readonly homes?: boolean
  /** The public side speaks HTTPS. */
  readonly https?: boolean
  /** Public side and API of the proxy are Unix sockets in the folder. */
  readonly sockets?: boolean
}

/** A hub whose servers are tiny and outlive it; `token` is its administrator ada's. */
export function tinyHubConfig(token: string) {
  const tinyServer = fileURLToPath(new URL('tiny-server.mjs', import.meta.url))
  return {
    JupyterHub: {
      spawner_class: 'simple',
      authenticator_class: 'dummy',
      api_tokens: { [token]: 'ada' },
      cleanup_servers: false,
      cleanup_proxy: false,
    },
    Authenticator: { admin_users: ['ada'] },
    Spawner: { cmd: [process.execPath, tinyServer] },
  } satisfies ConfigFile
}

/** A whole Orrery in a folder of its own: hub and edge as real processes, on ports of their own. */
export class TestInstallation {
  readonly folder: string
  readonly port: number
  readonly hubPort: number
  /** The REST API of the edge, or of the proxy that the hub starts instead. */
  readonly edgeApiPort: number
  readonly #options: HubProcessOptions
  /** Everything the hubs printed, over all their lives. */
  output = ''
  #hub: ChildProcess | undefined
  /** The tests' certificates are for no name that anybody asks. */
  readonly #agent: Agent

  private constructor(
    folder: string,
    ports: readonly [number, number, number],
    options: HubProcessOptions,
  ) {
    this.folder = folder
    ;[this.port, this.hubPort, this.edgeApiPort] = ports
    this.#options = options
    this.#agent = new Agent({
      connect: {
        rejectUnauthorized: false,
        ...(options.sockets === true && { socketPath: this.socketPath('public') }),
      },
    })
  }

  socketPath(side: 'public' | 'api'): string {
    return join(this.folder, `${side}.sock`)
  }

  static async create(options: HubProcessOptions): Promise<TestInstallation> {
    const folder = await mkdtemp(join(tmpdir(), 'orrery-hub-'))
    await chmod(folder, 0o755) // servers run as somebody else when the tests run as root
    const ports = [await freePort(), await freePort(), await freePort()] as const
    const installation = new TestInstallation(folder, ports, options)
    await installation.#writeConfig()
    return installation
  }

  get dataDir(): string {
    return join(this.folder, 'data')
  }

  /** What users type. */
  get url(): string {
    return `${this.#options.https === true ? 'https' : 'http'}://127.0.0.1:${this.port}`
  }

  get hubPid(): number | undefined {
    return this.#hub?.pid
  }

  /**
   * Starts the hub and waits until it and the edge answer.
   * @param options - `crashAt` kills it at that point; `printTo` is where it prints, in place of `output`.
   */
  async start(options: { crashAt?: string; wait?: boolean; printTo?: number } = {}): Promise<void> {
    const printTo = options.printTo ?? 'pipe'
    const printed = this.output.length
    const entry = fileURLToPath(new URL('crashing-hub.ts', import.meta.url))
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', entry, `--data-dir=${this.dataDir}`],
      {
        cwd: this.folder,
        stdio: ['ignore', printTo, printTo],
        env: { ...process.env, ORRERY_CRASH_AT: options.crashAt ?? '' },
      },
    )
    this.#hub = child
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text
      })
    }
    if (options.wait === false) return
    // It answers a moment before the start is complete.
    const isComplete = () =>
      printTo !== 'pipe' || this.output.includes('Orrery is now running', printed)
    await this.until(async () => (await this.#answers()) && isComplete(), 30_000)
  }

  /** Waits until a check is true; says what the hubs printed when it never is. */
  async until(check: () => Promise<boolean> | boolean, timeoutMs = 60_000): Promise<void> {
    const giveUpAt = Date.now() + timeoutMs
    for (;;) {
      if (await check()) return
      if (Date.now() > giveUpAt) {
        throw new Error(
          `not true within ${timeoutMs} ms; the hub said:\n${this.output.slice(-6_000)}`,
        )
      }
      await delay(50)
    }
  }

  /** Resolves with the exit code, or the signal's name, once the hub has ended. */
  exited(): Promise<number | string> {
    const hub = this.#hub
    if (hub === undefined) return Promise.resolve(0)
    if (hub.exitCode !== null) return Promise.resolve(hub.exitCode)
    if (hub.signalCode !== null) return Promise.resolve(hub.signalCode)
    return new Promise((resolve) =>
      hub.once('exit', (code, signal) => resolve(code ?? signal ?? 0)),
    )
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | string> {
    const ended = this.exited()
    this.#hub?.kill(signal)
    return ended
  }

  /** The pid of the edge, or of the other proxy that the hub started, from its record. */
  edgePid(name: 'edge' | 'proxy' = 'edge'): number | undefined {
    try {
      const record: unknown = JSON.parse(readFileSync(join(this.dataDir, `${name}.json`), 'utf8'))
      if (typeof record !== 'object' || record === null || !('pid' in record)) return undefined
      return Number(record.pid)
    } catch {
      return undefined
    }
  }

  /** A REST call through the edge. */
  async api(
    path: string,
    options: { token: string; method?: string; body?: unknown; direct?: boolean },
  ): Promise<{ status: number; body: unknown }> {
    const origin = options.direct === true ? `http://127.0.0.1:${this.hubPort}` : this.url
    const answer = await undiciFetch(`${origin}/hub/api${path}`, {
      dispatcher: this.#agent,
      method: options.method ?? 'GET',
      headers: { Authorization: `token ${options.token}`, Connection: 'close' },
      ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
      signal: AbortSignal.timeout(20_000),
    })
    const text = await answer.text()
    return { status: answer.status, body: text === '' ? undefined : parseJson(text) }
  }

  /** Pids of processes that belong to a run of a server of this installation. */
  serverPids(): number[] {
    return readdirSync('/proc').flatMap((name) => {
      const pid = Number(name)
      return Number.isInteger(pid) && this.#isServer(pid) ? [pid] : []
    })
  }

  /** Ends everything that was started, whatever state it is in. */
  async destroy(): Promise<void> {
    await this.kill()
    for (const pid of [this.edgePid(), this.edgePid('proxy'), ...this.serverPids()]) {
      if (pid !== undefined && this.#isOurs(pid)) killQuietly(pid)
    }
    await this.#agent.destroy()
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }

  #isServer(pid: number): boolean {
    const environment = readProc(pid, 'environ')
    return (
      /JUPYTERHUB_API_URL=https?:\/\/127\.0\.0\.1:(\d+)\//.exec(environment)?.[1] ===
        String(this.hubPort) && !isZombie(pid)
    )
  }

  #isOurs(pid: number): boolean {
    const command = readProc(pid, 'cmdline')
    const isProxy = command.includes(`--api-port\0${this.edgeApiPort}\0`)
    return this.#isServer(pid) || isProxy || command.includes(this.folder)
  }

  async #answers(): Promise<boolean> {
    if (this.#hub?.exitCode !== null || this.#hub.signalCode !== null) {
      throw new Error(`the hub ended while it started:\n${this.output.slice(-6_000)}`)
    }
    const answer = await undiciFetch(`${this.url}/hub/api/`, {
      dispatcher: this.#agent,
      signal: AbortSignal.timeout(2_000),
    }).catch(() => undefined)
    await answer?.body?.cancel()
    return answer?.status === 200
  }

  async #writeConfig(): Promise<void> {
    const { dbUrl, homes } = this.#options
    const given = this.#options.config
    const config = typeof given === 'function' ? given(this.port) : given
    const content = {
      ...(homes === true && {
        SimpleLocalProcessSpawner: { home_dir_template: join(this.folder, 'homes', '{username}') },
      }),
      ...config,
      JupyterHub: {
        ...(this.#options.sockets === true
          ? { bind_url: `http+unix://${encodeURIComponent(this.socketPath('public'))}` }
          : { ip: '127.0.0.1', port: this.port }),
        hub_port: this.hubPort,
        ...(dbUrl !== undefined && { db_url: dbUrl }),
        ...config['JupyterHub'],
      },
      ConfigurableHTTPProxy: {
        api_url:
          this.#options.sockets === true
            ? `unix+http://${encodeURIComponent(this.socketPath('api'))}`
            : `http://127.0.0.1:${this.edgeApiPort}`,
        ...config['ConfigurableHTTPProxy'],
      },
    }
    await writeFile(join(this.folder, 'jupyterhub_config.json'), JSON.stringify(content))
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1')
  } catch {
    return ''
  }
}

function isZombie(pid: number): boolean {
  const stat = readProc(pid, 'stat')
  return stat === '' || stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // it has just ended
  }
}
