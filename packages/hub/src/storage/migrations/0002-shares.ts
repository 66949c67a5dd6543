import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { DialectName } from '../dialects/dialect.ts'

/** Share codes, and one share at most for each server and recipient. */
export function sharesMigration(dialect: DialectName): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('share_codes')
        .addColumn('id', dialect === 'sqlite' ? 'integer' : 'bigint', (c) =>
          dialect === 'sqlite'
            ? c.primaryKey().autoIncrement()
            : c.primaryKey().generatedByDefaultAsIdentity(),
        )
        .addColumn('hashed', 'text', (c) => c.notNull().unique())
        .addColumn('prefix', 'text', (c) => c.notNull())
        .addColumn('server_id', 'bigint', (c) =>
          c.notNull().references('servers.id').onDelete('cascade'),
        )
        .addColumn('scopes', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('expires_at', 'bigint', (c) => c.notNull())
        .addColumn('exchange_count', 'bigint', (c) => c.notNull().defaultTo(0))
        .addColumn('last_exchanged_at', 'bigint')
        .execute()
      for (const [table, column] of [
        ['share_codes', 'prefix'],
        ['share_codes', 'server_id'],
        ['share_codes', 'expires_at'],
        ['shares', 'owner_id'],
      ] as const) {
        await db.schema.createIndex(`ix_${table}_${column}`).on(table).columns([column]).execute()
      }
      // The older of two shares of one server with one recipient stays.
      for (const recipient of ['user_id', 'group_id'] as const) {
        const column = sql.ref(recipient)
        await sql`delete from shares where ${column} is not null and id not in
          (select min(id) from shares where ${column} is not null group by server_id, ${column})`.execute(
          db,
        )
        await db.schema
          .createIndex(`uq_shares_server_id_${recipient}`)
          .on('shares')
          .columns(['server_id', recipient])
          .unique()
          .execute()
      }
    },
  }
}
