import { existsSync, readFileSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { ManagedService, ServiceSettings } from '../../src/services/settings.ts'
import { type Services, startServices } from '../../src/services/start-services.ts'
import { localProcessDefaults } from '../../src/spawners/local-process/options.ts'
import { loadServices } from '../../src/startup/service-content.ts'
import type { Store } from '../../src/storage/store.ts'

const script = fileURLToPath(new URL('../support/tiny-service.mjs', import.meta.url))

/** What a tiny service wrote down about itself. */
export interface Facts {
  readonly env: Record<string, string>
  readonly cwd: string
  readonly uid: number
  readonly argv: readonly string[]
}

/** Runs tiny services as a hub does, on a store of the test's, in a folder of its own. */
export class ServiceKit {
  readonly folder: string
  readonly log: string[] = []
  readonly #started: Services[] = []

  private constructor(folder: string) {
    this.folder = folder
  }

  static async create(): Promise<ServiceKit> {
    const folder = await mkdtemp(join(tmpdir(), 'orrery-services-'))
    await chmod(folder, 0o777) // some run as somebody else
    return new ServiceKit(folder)
  }

  /** To be called while the store is open: services end with their hub. Fails if one did not. */
  async close(): Promise<void> {
    for (const services of this.#started.splice(0)) await services.stop()
    const files = (await readdir(this.folder)).filter((name) => name.endsWith('.starts'))
    const left = files.flatMap((file) => this.pidsIn(file)).filter(isAlive)
    for (const pid of left) process.kill(pid, 'SIGKILL')
    await rm(this.folder, { recursive: true, force: true })
    if (left.length > 0) throw new Error(`left running: ${left.join()}; ${this.log.join('\n')}`)
  }

  service(changes: Partial<ManagedService> = {}): ManagedService {
    return {
      name: 'tiny',
      admin: false,
      url: '',
      command: [process.execPath, script, this.folder],
      cwd: this.folder,
      environment: {},
      user: '',
      timeoutMs: 10_000,
      info: {},
      display: true,
      apiToken: undefined,
      oauthClientAllowedScopes: [],
      oauthNoConfirm: false,
      oauthClientId: undefined,
      oauthRedirectUri: undefined,
      ...changes,
    }
  }

  /** What a start of the hub does about services. */
  async start(
    store: Store,
    services: readonly ManagedService[],
    options: { checkIntervalMs?: number } = {},
  ): Promise<Services> {
    const place = { baseUrl: '/base/' }
    const configured = services.map((each) => ({ ...each, oauthRoles: [] }))
    const content = { ...place, services: configured, serviceTokens: {}, trustTokens: true }
    await store.write((tx) => loadServices(tx, content, new Date()))
    const settings: ServiceSettings = {
      ...place,
      hubApiUrl: 'http://127.0.0.1:1/base/hub/api',
      publicUrl: 'https://hub.example/base/',
      cookieSecret: Buffer.alloc(32, 5),
      services,
      process: { ...localProcessDefaults, interruptTimeoutMs: 5_000, termTimeoutMs: 2_000 },
      checkIntervalMs: options.checkIntervalMs ?? 0,
    }
    const dataDir = join(this.folder, 'data')
    await mkdir(dataDir, { recursive: true })
    const write = (level: string) => (details: object, message: string) => {
      this.log.push(`${level} ${message} ${JSON.stringify(details)}`)
    }
    const logger = { info: write('info'), warn: write('warn'), error: write('error') }
    const handle = startServices({ store, settings, dataDir, logger, now: () => new Date() })
    this.#started.push(handle)
    return handle
  }

  async until(check: () => boolean | Promise<boolean>): Promise<void> {
    const giveUpAt = Date.now() + 15_000
    while (!(await check())) {
      if (Date.now() > giveUpAt) throw new Error(`not true in time; log:\n${this.log.join('\n')}`)
      await delay(20)
    }
  }

  /** Pids in `NAME.starts` or `NAME.ends`, in order. */
  pidsIn(file: string): number[] {
    const path = join(this.folder, file)
    if (!existsSync(path)) return []
    return readFileSync(path, 'utf8').split('\n').filter(Boolean).map(Number)
  }

  /** Waits until the service has started and its first line of output is in the log. */
  async factsOf(name: string): Promise<Facts> {
    await this.until(() => this.log.some((line) => line.includes(`[${name}] hello from`)))
    return this.factsNow(name)
  }

  factsNow(name: string): Facts {
    return JSON.parse(readFileSync(join(this.folder, `${name}.json`), 'utf8')) as Facts
  }
}

export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return !stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')
  } catch {
    return false
  }
}
