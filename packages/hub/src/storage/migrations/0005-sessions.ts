import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

/** Browser sessions, and what OpenID Connect needs: signing keys, and two facts on each code. */
export function sessionsMigration(): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('browser_sessions')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('user_id', 'bigint', (c) =>
          c.notNull().references('users.id').onDelete('cascade'),
        )
        .addColumn('opened_with', 'text', (c) => c.notNull())
        .addColumn('signed_in_at', 'bigint', (c) => c.notNull())
        .addColumn('expires_at', 'bigint', (c) => c.notNull())
        .addUniqueConstraint('uq_browser_sessions_opened', ['user_id', 'opened_with'])
        .execute()
      await index(db, 'browser_sessions', 'expires_at')
      await index(db, 'api_tokens', 'session_id')
      await index(db, 'oauth_codes', 'session_id')
      await db.schema
        .createTable('signing_keys')
        .addColumn('kid', 'text', (c) => c.primaryKey())
        .addColumn('public_key', 'text', (c) => c.notNull())
        .addColumn('encrypted_key', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .execute()
      await db.schema.alterTable('oauth_codes').addColumn('nonce', 'text').execute()
      await db.schema.alterTable('oauth_codes').addColumn('signed_in_at', 'bigint').execute()
    },
  }
}

async function index(db: Kysely<unknown>, table: string, column: string): Promise<void> {
  await db.schema.createIndex(`ix_${table}_${column}`).on(table).column(column).execute()
}
