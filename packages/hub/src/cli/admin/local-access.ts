import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { userInfo } from 'node:os'
import { hubConnectUrl } from '../../composition/settings.ts'
import { ConfigError } from '../../domain/errors.ts'
import type { Config } from '../../config/options/classes.ts'
import { setRoleMembers } from '../../storage/access.ts'
import { recordAudit } from '../../storage/audit.ts'
import { openStore, parseDatabaseUrl } from '../../storage/open.ts'
import { createService, deleteService, listServices } from '../../storage/services.ts'
import type { Store, WriteTransaction } from '../../storage/store.ts'
import { newApiToken } from '../../storage/token-hash.ts'
import { createToken, extendToken } from '../../storage/tokens.ts'
import { CommandFailed } from '../command-failed.ts'

const tokenLifetimeMs = 5 * 60_000
/** While a command works, its token is made to live on: starts of many servers take their time. */
const renewalMs = 2 * 60_000
export const localServicePrefix = 'orrery-cli-'

/** A token of this command's own. */
export interface LocalAccess {
  readonly token: string
  /** Name of the service that it belongs to; the token may delete it. */
  readonly serviceName: string
  /** Deletes service and token, in case the hub could not be asked to. */
  revoke(): Promise<void>
}

/** Where the hub of this configuration is reached on this machine. */
export function localApiUrl(config: Config): string {
  return new URL('api', hubConnectUrl(config)).href
}

/**
 * Makes a token for one command, on the hub's own machine: whoever may write its database may do
 * anything to the hub already, so the permissions of the files are the authority. The token belongs
 * to a service of its own, holds the scopes that the command needs and that of deleting that
 * service, and expires by itself where nobody deletes it.
 */
export async function openLocalAccess(input: {
  readonly config: Config
  readonly cwd: string
  readonly scopes: readonly string[]
  /** For tests. */
  readonly renewalMs?: number
}): Promise<LocalAccess> {
  const store = await openExistingStore(input)
  const token = newApiToken()
  const serviceName = `${localServicePrefix}${systemUser()}-${randomBytes(4).toString('hex')}`
  try {
    const now = new Date()
    const { serviceId, tokenId } = await store.write(async (tx) => {
      await removeLeftovers(tx, now)
      return createOwner(tx, { serviceName, token, scopes: input.scopes, now })
    })
    const renewal = setInterval(() => {
      const expiresAt = new Date(Date.now() + tokenLifetimeMs)
      // A renewal that fails costs nothing: the next one comes before the token expires.
      store.write((tx) => extendToken(tx, tokenId, expiresAt)).catch(() => undefined)
    }, input.renewalMs ?? renewalMs)
    renewal.unref()
    const revoke = async () => {
      clearInterval(renewal)
      try {
        await store.write((tx) => deleteService(tx, serviceId))
      } finally {
        await store.close()
      }
    }
    return { token, serviceName, revoke }
  } catch (error) {
    await store.close()
    throw error
  }
}

async function createOwner(
  tx: WriteTransaction,
  input: { serviceName: string; token: string; scopes: readonly string[]; now: Date },
): Promise<{ serviceId: number; tokenId: number }> {
  const { serviceName: name, token, now } = input
  const serviceId = await createService(tx, {
    name,
    admin: true,
    url: '',
    info: {},
    display: false,
    fromConfig: false,
    command: [],
    oauthNoConfirm: false,
  })
  if (serviceId === undefined) throw new TypeError(`the random name ${name} is taken`)
  await setRoleMembers(tx, { role: 'admin', kind: 'service', ids: [serviceId], add: true })
  const tokenId = await createToken(
    tx,
    {
      value: token,
      owner: { kind: 'service', id: serviceId },
      scopes: [...input.scopes, `admin:services!service=${name}`],
      note: 'one command of `orrery`',
      expiresAt: new Date(now.getTime() + tokenLifetimeMs),
    },
    now,
  )
  const data = { scopes: [...input.scopes] }
  await recordAudit(
    tx,
    { actor: `local ${systemUser()}`, action: 'cli.access', subject: name, data },
    now,
  )
  return { serviceId, tokenId }
}

/** Services of commands that were killed: their tokens have expired. */
async function removeLeftovers(tx: WriteTransaction, now: Date): Promise<void> {
  const services = await listServices(tx.db, { kind: 'all' })
  for (const { id, name, fromConfig } of services) {
    if (fromConfig || !name.startsWith(localServicePrefix)) continue
    const live = await tx.db
      .selectFrom('api_tokens')
      .select('id')
      .where('service_id', '=', id)
      .where('expires_at', '>=', now.getTime())
      .executeTakeFirst()
    if (live === undefined) await deleteService(tx, id)
  }
}

async function openExistingStore({ config, cwd }: { config: Config; cwd: string }): Promise<Store> {
  const url = config.JupyterHub.dbUrl
  const location = parseDatabaseUrl(url, cwd)
  if (location.kind === 'sqlite' && (location.file === ':memory:' || !existsSync(location.file))) {
    throw new CommandFailed(
      location.file === ':memory:'
        ? `The hub keeps its database in memory, so that a token is needed. ${howElse}`
        : `There is no database ${location.file}. Name the hub's data folder with --data-dir or its ` +
            `configuration with --config. ${howElse}`,
    )
  }
  try {
    return await openStore({ url, directory: cwd })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new ConfigError(`${error.message} ${howElse}`, { cause: error })
  }
}

const howElse = 'Elsewhere than on its machine, set JUPYTERHUB_API_URL and JUPYTERHUB_API_TOKEN.'

/** Part of the service's name, so that records tell who it was. */
function systemUser(): string {
  let name = 'unknown'
  try {
    name = userInfo().username
  } catch {
    // an account without a name, as containers have
  }
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9._]+/g, '-')
    .slice(0, 32)
}
