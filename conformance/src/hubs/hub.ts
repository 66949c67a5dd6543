import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ask } from '../http-client.ts'
import type { Setup } from '../model.ts'
import { paths } from '../paths.ts'
import { configText, type HubAddresses } from './config.ts'
import { freePort } from '../../../packages/hub/test/support/ports.ts'
import { endProcessesOf, Started, type StartOptions } from './processes.ts'

export type HubKind = 'reference' | 'orrery' | 'other'

const startDeadlineMs = 90_000

/** A hub that answers, whichever it is. */
export interface Hub {
  readonly kind: HubKind
  readonly setup: Setup
  /** `http://127.0.0.1:PORT` of the public proxy. */
  readonly origin: string
  /** With a slash at both ends. */
  readonly baseUrl: string
  /** Ports that are different on every hub, and what to call them. */
  readonly ports: ReadonlyMap<string, string>
  /** Of the service that the suite itself runs. */
  readonly externalUrl: string
  /** Where the files are that let waiting servers go on. */
  readonly folder: string
  log(): string
  stop(): Promise<void>
}

/** Starts a hub in a folder and on ports of its own, and waits until it answers. */
export async function startHub(kind: Exclude<HubKind, 'other'>, setup: Setup): Promise<Hub> {
  const folder = mkdtempSync(join(tmpdir(), `orrery-conformance-${kind}-`))
  chmodSync(folder, 0o755)
  mkdirSync(join(folder, 'homes'))
  const addresses = await chooseAddresses()
  writeConfig(setup, folder, addresses)
  const baseUrl = baseUrlOf(setup)
  const origin = `http://127.0.0.1:${addresses.publicPort}`
  const started = startProcess(kind, folder, addresses.servicePorts[1])
  const hub: Hub = {
    kind,
    setup,
    origin,
    baseUrl,
    externalUrl: `http://127.0.0.1:${addresses.servicePorts[1]}`,
    folder,
    ports: portNames(addresses),
    log: () => started.map(({ output }) => output).join('\n'),
    async stop() {
      await Promise.all(started.map((process) => process.stop()))
      endProcessesOf(folder)
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
  try {
    await untilAnswering(hub, started[0])
  } catch (error) {
    await hub.stop()
    throw error
  }
  return hub
}

const addressesFile = 'addresses.json'

/** Writes the configuration for a hub that somebody else starts, and says where it will answer. */
export async function writeHubFolder(folder: string, setup: Setup): Promise<string> {
  mkdirSync(join(folder, 'homes'), { recursive: true })
  const addresses = await chooseAddresses()
  writeConfig(setup, folder, addresses)
  writeFileSync(join(folder, addressesFile), JSON.stringify(addresses))
  return `http://127.0.0.1:${addresses.publicPort}${baseUrlOf(setup)}`
}

/** A hub that already runs, in a folder that {@link writeHubFolder} filled. */
export function joinHub(url: string, folder: string, setup: Setup): Hub {
  const text = readFileSync(join(folder, addressesFile), 'utf8')
  const addresses = JSON.parse(text) as HubAddresses // our own file
  const external = startExternal(folder, addresses.servicePorts[1])
  return {
    kind: 'other',
    setup,
    origin: new URL(url).origin,
    baseUrl: baseUrlOf(setup),
    folder,
    externalUrl: `http://127.0.0.1:${addresses.servicePorts[1]}`,
    ports: portNames(addresses),
    log: () => '',
    stop: () => external.stop(),
  }
}

function baseUrlOf(setup: Setup): string {
  return setup === 'main' ? '/' : '/deep/lab/'
}

function writeConfig(setup: Setup, folder: string, addresses: HubAddresses): void {
  const text = configText({
    setup,
    addresses,
    folder,
    python: paths.python,
    standIn: paths.standIn,
  })
  writeFileSync(join(folder, 'jupyterhub_config.py'), text)
}

async function chooseAddresses(): Promise<HubAddresses> {
  return {
    publicPort: await freePort(),
    hubPort: await freePort(),
    proxyApiPort: await freePort(),
    servicePorts: [await freePort(), await freePort()],
  }
}

function portNames(addresses: HubAddresses): Map<string, string> {
  return new Map([
    [String(addresses.publicPort), '{public-port}'],
    [String(addresses.hubPort), '{hub-port}'],
    [String(addresses.servicePorts[0]), '{managed-port}'],
    [String(addresses.servicePorts[1]), '{external-port}'],
  ])
}

/** The hub, and the external service that its configuration names. */
function startProcess(kind: HubKind, folder: string, externalPort: number): [Started, Started] {
  const options = { cwd: folder, env: environment() }
  const external = startExternal(folder, externalPort)
  const hub = kind === 'reference' ? startReference(options) : startOrrery(folder, options)
  return [hub, external]
}

function startExternal(folder: string, port: number): Started {
  return new Started(paths.python, [paths.standIn], {
    cwd: folder,
    env: {
      ...environment(),
      STAND_IN_FOLDER: folder,
      JUPYTERHUB_SERVICE_URL: `http://127.0.0.1:${port}`,
    },
  })
}

function startReference(options: StartOptions): Started {
  return new Started(paths.python, ['-m', 'jupyterhub'], options)
}

function startOrrery(folder: string, options: StartOptions): Started {
  const flags = ['--disable-warning=ExperimentalWarning', paths.orrery]
  return new Started(process.execPath, [...flags, `--data-dir=${join(folder, 'data')}`], options)
}

/** The private environment first; nothing of the caller's own hub leaks in. */
function environment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(JUPYTERHUB_|CONFIGPROXY_|ORRERY_|JPY_)/.test(name),
  )
  const path = [paths.venvBin, paths.npmBin, dirname(process.execPath), process.env['PATH'] ?? '']
  return { ...Object.fromEntries(inherited), PATH: path.join(delimiter) }
}

async function untilAnswering(hub: Hub, started: Started): Promise<void> {
  const giveUpAt = Date.now() + startDeadlineMs
  for (;;) {
    if (started.hasEnded || Date.now() > giveUpAt) {
      const what = started.hasEnded ? 'ended while it started' : 'did not answer in time'
      throw new Error(`${hub.kind} (${hub.setup}) ${what}; it said:\n${hub.log().slice(-6_000)}`)
    }
    const status = await statusOf(hub)
    if (status === 200) return
    await delay(100)
  }
}

async function statusOf(hub: Hub): Promise<number> {
  const path = `${hub.baseUrl}hub/api/`
  const question = { origin: hub.origin, method: 'GET', path, headers: {}, body: undefined }
  try {
    return (await ask({ ...question, deadlineMs: 2_000 })).status
  } catch {
    return 0
  }
}
