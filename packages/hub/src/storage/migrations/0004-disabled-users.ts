import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/** Users who exist and may do nothing. */
export function disabledUsersMigration(): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await db.schema
        .alterTable('users')
        .addColumn('disabled', 'integer', (c) => c.notNull().defaultTo(0))
        .execute()
      // Few are: the search for what they still run must not read everybody.
      await sql`create index ix_users_disabled on users (id) where disabled = 1`.execute(db)
    },
  }
}
