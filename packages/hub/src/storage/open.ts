import { chmodSync, closeSync, existsSync, openSync } from 'node:fs'
import { resolve } from 'node:path'
import { ConfigError, messageOf } from '../domain/errors.ts'
import type { DatabaseDriver } from './dialects/dialect.ts'
import { openPostgres } from './dialects/postgres.ts'
import { openSqlite } from './dialects/sqlite.ts'
import { backupSqlite, checkSchema, migrate } from './migrate.ts'
import { Store } from './store.ts'

export interface OpenStoreOptions {
  /** `sqlite:///relative`, `sqlite:////absolute`, `sqlite:///:memory:` or `postgresql://…`. */
  readonly url: string
  /** What relative SQLite paths are relative to. */
  readonly directory: string
  /** Upgrade an older schema instead of refusing it. */
  readonly upgrade?: boolean
}

/**
 * Opens the database and creates the schema in an empty one.
 * @throws ConfigError with the remedy, when it cannot be opened or is not ours
 */
export async function openStore(options: OpenStoreOptions): Promise<Store> {
  const location = parseDatabaseUrl(options.url, options.directory)
  const driver = openDriver(location)
  try {
    const subject = { dialect: driver.dialect, db: driver.reader, name: location.name }
    const status = await checkSchema(subject)
    if (status === 'behind') {
      if (options.upgrade !== true) {
        throw new ConfigError(
          `The database ${location.name} has an older schema. Run \`orrery upgrade-db\` (it makes a ` +
            'copy of an SQLite database first), then start again.',
        )
      }
      if (location.kind === 'sqlite' && existsSync(location.file)) {
        backupSqlite(location.file, new Date())
      }
    }
    if (status !== 'current') await migrateWith(driver, location)
    const store = new Store(driver)
    await store.listen()
    return store
  } catch (error) {
    await driver.close()
    if (error instanceof ConfigError) throw error
    throw new ConfigError(`The database ${location.name} cannot be used: ${causeOf(error)}`, {
      cause: error,
    })
  }
}

type DatabaseLocation =
  | { readonly kind: 'sqlite'; readonly file: string; readonly name: string }
  | { readonly kind: 'postgres'; readonly url: string; readonly name: string }

/** SQLAlchemy's forms, as `JupyterHub.db_url` has them; drivers such as `+psycopg2` are ignored. */
export function parseDatabaseUrl(url: string, directory: string): DatabaseLocation {
  const sqlite = /^sqlite(?:\+\w+)?:\/\/(?:\/(.*))?$/s.exec(url)
  if (sqlite !== null) {
    const path = (sqlite[1] ?? '').split('?')[0] ?? ''
    if (path === '' || path === ':memory:') {
      return { kind: 'sqlite', file: ':memory:', name: 'in memory' }
    }
    const file = resolve(directory, path)
    return { kind: 'sqlite', file, name: file }
  }
  const postgres = /^(?:postgresql|postgres)(?:\+\w+)?:\/\/(.*)$/s.exec(url)
  if (postgres !== null) {
    const plain = `postgresql://${postgres[1]}`
    return { kind: 'postgres', url: plain, name: withoutPassword(plain) }
  }
  throw new ConfigError(
    `JupyterHub.db_url '${withoutPassword(url)}' names no database that Orrery knows. Use ` +
      "'sqlite:///file.sqlite' or 'postgresql://user:password@host/name'.",
  )
}

function openDriver(location: DatabaseLocation): DatabaseDriver {
  if (location.kind === 'postgres') return openPostgres(location.url)
  if (location.file !== ':memory:') createPrivately(location.file)
  try {
    return openSqlite(location.file)
  } catch (error) {
    throw new ConfigError(messageOf(error), { cause: error })
  }
}

/** Tokens are hashed, yet names and activity are nobody else's business either: mode 0600. */
function createPrivately(file: string): void {
  try {
    if (!existsSync(file)) closeSync(openSync(file, 'a', 0o600))
    chmodSync(file, 0o600)
  } catch (error) {
    throw new ConfigError(`The database ${file} cannot be written: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

/** Two hubs that start at once must not migrate at once: PostgreSQL serialises them by a lock. */
async function migrateWith(driver: DatabaseDriver, location: DatabaseLocation): Promise<void> {
  await migrate({ dialect: driver.dialect, db: driver.reader, name: location.name })
}

function withoutPassword(url: string): string {
  return url.replace(/(:\/\/[^:/@]*):[^@]*@/, '$1:***@')
}

function causeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  return cause === undefined ? messageOf(error) : `${messageOf(error)} (${messageOf(cause)})`
}
