import { copyFileSync } from 'node:fs'
import { type Kysely, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { ConfigError, messageOf } from '../domain/errors.ts'
import type { DialectName, Executor } from './dialects/dialect.ts'
import { firstMigration } from './migrations/0001-first.ts'
import { sharesMigration } from './migrations/0002-shares.ts'
import { servicesMigration } from './migrations/0003-services.ts'
import { disabledUsersMigration } from './migrations/0004-disabled-users.ts'
import { sessionsMigration } from './migrations/0005-sessions.ts'
import { serverVersionMigration } from './migrations/0007-server-version.ts'
import { managedRolesMigration } from './migrations/0008-managed-roles.ts'

/** In order. Names are stored in databases: they are never changed. */
function migrations(dialect: DialectName): Record<string, Migration> {
  return {
    '0001-first': firstMigration(dialect),
    '0002-shares': sharesMigration(dialect),
    '0003-services': servicesMigration(),
    '0004-disabled-users': disabledUsersMigration(),
    '0005-sessions': sessionsMigration(),
    '0007-server-version': serverVersionMigration(),
    '0008-managed-roles': managedRolesMigration(),
  }
}

export type SchemaStatus = 'current' | 'empty' | 'behind'

export interface MigrateOptions {
  readonly dialect: DialectName
  readonly db: Executor
  /** For messages: where the database is, without passwords. */
  readonly name: string
}

/**
 * Compares the database with this program.
 * @throws ConfigError when it belongs to a JupyterHub or to a newer Orrery
 */
export async function checkSchema(options: MigrateOptions): Promise<SchemaStatus> {
  const tables = new Set(
    (await options.db.introspection.getTables({ withInternalKyselyTables: true })).map(
      (table) => table.name,
    ),
  )
  if (!tables.has('kysely_migration')) {
    if (tables.has('alembic_version') || tables.has('users')) {
      throw new ConfigError(
        `The database ${options.name} belongs to a JupyterHub or another program. Orrery keeps a ` +
          'database of its own: leave JupyterHub.db_url unset or name another one.',
      )
    }
    return 'empty'
  }
  const known = Object.keys(migrations(options.dialect))
  const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(
    options.db,
  )
  const unknown = rows.find((row) => !known.includes(row.name))
  if (unknown !== undefined) {
    throw new ConfigError(
      `The database ${options.name} was upgraded by a newer version of Orrery (${unknown.name}). ` +
        'Run that version, or restore the copy made before the upgrade.',
    )
  }
  // Another hub has just begun: its tables are there once all of them are.
  if (rows.length === 0) return 'empty'
  return rows.length === known.length ? 'current' : 'behind'
}

/** Brings the schema to this program's version; does nothing when it is. Safe to run twice at once. */
export async function migrate(options: MigrateOptions): Promise<void> {
  const migrator = new Migrator({
    db: options.db as Kysely<unknown>,
    provider: { getMigrations: () => Promise.resolve(migrations(options.dialect)) },
  })
  const { error } = await migrator.migrateToLatest()
  if (error !== undefined) {
    throw new ConfigError(
      `The database ${options.name} could not be upgraded: ${messageOf(error)}`,
      { cause: error },
    )
  }
}

/** Copies an SQLite file aside. Source: JupyterHub 6.0, `<file>.<YYYY-MM-DD-HHMMSS>`. */
export function backupSqlite(file: string, now: Date): string {
  const [date, time] = now.toISOString().split('T')
  const copy = `${file}.${date}-${(time ?? '').slice(0, 8).replaceAll(':', '')}`
  copyFileSync(file, copy)
  return copy
}
