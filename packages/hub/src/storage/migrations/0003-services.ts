import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

/** Services that the hub runs, and what their OAuth clients may do. */
export function servicesMigration(): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await db.schema
        .alterTable('services')
        .addColumn('command', 'text', (c) => c.notNull().defaultTo('[]'))
        .execute()
      await db.schema
        .alterTable('services')
        .addColumn('oauth_no_confirm', 'integer', (c) => c.notNull().defaultTo(0))
        .execute()
      // By name and without a reference: what runs must be found when its service is gone.
      await db.schema
        .createTable('service_runs')
        .addColumn('name', 'text', (c) => c.primaryKey())
        .addColumn('run_id', 'text', (c) => c.notNull())
        .addColumn('fingerprint', 'text', (c) => c.notNull())
        .addColumn('state', 'text', (c) => c.notNull())
        .addColumn('started_at', 'bigint', (c) => c.notNull())
        .execute()
      await db.schema
        .createIndex('ix_api_tokens_service_id')
        .on('api_tokens')
        .column('service_id')
        .execute()
      await db.schema
        .createIndex('ix_oauth_clients_service_id')
        .on('oauth_clients')
        .column('service_id')
        .execute()
    },
  }
}
