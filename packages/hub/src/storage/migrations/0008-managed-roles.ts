import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

/** Roles that the authenticator defines, and who has a role by its word. */
export function managedRolesMigration(): Migration {
  return {
    async up(db: Kysely<unknown>) {
      for (const table of ['roles', 'user_roles']) {
        await db.schema
          .alterTable(table)
          .addColumn('managed', 'integer', (c) => c.notNull().defaultTo(0))
          .execute()
      }
    },
  }
}
