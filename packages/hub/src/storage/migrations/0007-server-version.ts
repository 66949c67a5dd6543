import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

/** What a server says its `jupyterhub` package is. */
export function serverVersionMigration(): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await db.schema.alterTable('servers').addColumn('jupyterhub_version', 'text').execute()
    },
  }
}
