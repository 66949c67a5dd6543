import { type Client, createClient } from '@orrery/client'
import { type LoadedConfig, loadConfig } from '../../config/load.ts'
import { CommandFailed } from '../command-failed.ts'
import { localApiUrl, openLocalAccess } from './local-access.ts'
import { checkToken, readSecret } from './secret-file.ts'
import type { AdminContext, CommonOptions } from './session.ts'
import type { Terminal } from './terminal.ts'
import { fetchOfEnvironment, localFetch } from './tls.ts'

export interface Connection {
  readonly hub: Client
  close(): Promise<void>
}

export interface ConnectionRequest {
  readonly context: AdminContext
  readonly options: CommonOptions
  readonly scopes: readonly string[]
  readonly terminal: Terminal
}

/** How long the hub may take to forget a command's token before it is deleted without it. */
const farewellMs = 5_000

/**
 * A client for one command: with the token that was given, by flag, file or environment, or else,
 * on the hub's own machine, with one that ends with the command.
 */
export async function openConnection(request: ConnectionRequest): Promise<Connection> {
  const { context, options } = request
  const token = await givenToken(request)
  const url = options.url ?? fromEnv(context.env['JUPYTERHUB_API_URL'])
  if (token !== undefined) {
    const { address, fetch } = await addressOf(request, url)
    const hub = createClient({ url: address, token, signal: context.signal, fetch })
    return { hub, close: () => Promise.resolve() }
  }
  if (url !== undefined) {
    throw new CommandFailed(
      `A token is needed for ${url}: set JUPYTERHUB_API_TOKEN, or use --token-file.`,
    )
  }
  return openLocally(request)
}

async function openLocally(request: ConnectionRequest): Promise<Connection> {
  const { context, scopes } = request
  const config = await loadFor(request)
  const url = localApiUrl(config)
  const { signal } = context
  const fetch = localFetch(config, context.cwd)
  const version = await createClient({ url, signal, fetch, timeoutMs: 10_000 }).hub.version()
  if (!version.ok) {
    throw new CommandFailed(
      `No hub answers at ${url}. Is it running, with this configuration? Name its file with ` +
        `--config, or another hub with --url. (${version.error.message})`,
    )
  }
  const access = await openLocalAccess({ config, cwd: context.cwd, scopes })
  const { token, serviceName } = access
  const hub = createClient({ url, token, signal, fetch })
  return {
    hub,
    close: async () => {
      // Through the hub, so that it forgets the token at once; not ended by what ends the command.
      const farewell = createClient({ url, token, fetch, timeoutMs: farewellMs })
      await farewell.services.remove(serviceName)
      await access.revoke()
    },
  }
}

async function addressOf(request: ConnectionRequest, url: string | undefined) {
  const { context } = request
  if (url !== undefined) return { address: toApiUrl(url), fetch: fetchOfEnvironment(context.env) }
  const config = await loadFor(request)
  return { address: localApiUrl(config), fetch: localFetch(config, context.cwd) }
}

/** Values on a command line are seen by everybody on the machine, hence the other ways. */
async function givenToken({
  context,
  options,
  terminal,
}: ConnectionRequest): Promise<string | undefined> {
  if (options.tokenFile !== undefined) return readSecret(options.tokenFile, context.stdin)
  if (options.token !== undefined) {
    terminal.tell(
      'Warning: a token on the command line is visible in the process list and stays in the ' +
        "shell's history. Use JUPYTERHUB_API_TOKEN or --token-file.",
    )
    return checkToken(options.token, '--token')
  }
  const token = fromEnv(context.env['JUPYTERHUB_API_TOKEN'])
  return token === undefined ? undefined : checkToken(token, 'JUPYTERHUB_API_TOKEN')
}

/**
 * Addresses as people write them: that of the API, of the hub, or of the whole installation.
 * `https://host`, `https://host/hub` and `https://host/hub/api` mean the same.
 */
export function toApiUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new CommandFailed(`${text} is no address of a hub, such as https://hub.example.org`)
  }
  const path = url.pathname.replace(/\/+$/, '')
  if (path.endsWith('/hub/api')) return `${url.origin}${path}`
  return `${url.origin}${path}${path.endsWith('/hub') ? '/api' : '/hub/api'}`
}

async function loadFor({
  context,
  options,
  terminal,
}: ConnectionRequest): Promise<LoadedConfig['config']> {
  const flag = (name: string, section: string, option: string, value: string | undefined) =>
    value === undefined ? [] : [{ section, name: option, texts: [value], flag: name }]
  const loaded = await loadConfig({
    cwd: context.cwd,
    env: context.env,
    configFile: options.config,
    flags: [
      ...flag('--data-dir', 'Orrery', 'data_dir', options.dataDir),
      ...flag('--db', 'JupyterHub', 'db_url', options.db),
    ],
    strict: false,
  })
  for (const warning of loaded.warnings) terminal.tell(`Warning: ${warning}`)
  return loaded.config
}

function fromEnv(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value
}
