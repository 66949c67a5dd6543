import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { DialectName } from '../dialects/dialect.ts'

/** The first schema. Later migrations expand it; contracting waits for the version after. */
export function firstMigration(dialect: DialectName): Migration {
  const id = (db: Kysely<unknown>, table: string) =>
    db.schema
      .createTable(table)
      .addColumn('id', dialect === 'sqlite' ? 'integer' : 'bigint', (c) =>
        dialect === 'sqlite'
          ? c.primaryKey().autoIncrement()
          : c.primaryKey().generatedByDefaultAsIdentity(),
      )
  return {
    async up(db: Kysely<unknown>) {
      await id(db, 'users')
        .addColumn('name', 'text', (c) => c.notNull().unique())
        .addColumn('admin', 'integer', (c) => c.notNull().defaultTo(0))
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('last_activity_at', 'bigint')
        .addColumn('cookie_id', 'text', (c) => c.notNull().unique())
        .addColumn('user_info', 'text')
        .addColumn('encrypted_auth_state', 'text')
        .execute()
      await db.schema
        .createTable('user_passwords')
        .addColumn('user_id', 'bigint', (c) =>
          c.primaryKey().references('users.id').onDelete('cascade'),
        )
        .addColumn('password_hash', 'text', (c) => c.notNull())
        .addColumn('updated_at', 'bigint', (c) => c.notNull())
        .execute()
      await id(db, 'groups')
        .addColumn('name', 'text', (c) => c.notNull().unique())
        .addColumn('properties', 'text', (c) => c.notNull())
        .execute()
      await id(db, 'roles')
        .addColumn('name', 'text', (c) => c.notNull().unique())
        .addColumn('description', 'text', (c) => c.notNull())
        .addColumn('scopes', 'text', (c) => c.notNull())
        .execute()
      await id(db, 'services')
        .addColumn('name', 'text', (c) => c.notNull().unique())
        .addColumn('admin', 'integer', (c) => c.notNull().defaultTo(0))
        .addColumn('url', 'text', (c) => c.notNull())
        .addColumn('info', 'text', (c) => c.notNull())
        .addColumn('display', 'integer', (c) => c.notNull())
        .addColumn('from_config', 'integer', (c) => c.notNull())
        .execute()
      await mapTable(db, 'group_members', 'group_id', 'groups.id', 'user_id', 'users.id')
      await mapTable(db, 'user_roles', 'role_id', 'roles.id', 'user_id', 'users.id')
      await mapTable(db, 'group_roles', 'role_id', 'roles.id', 'group_id', 'groups.id')
      await mapTable(db, 'service_roles', 'role_id', 'roles.id', 'service_id', 'services.id')
      await id(db, 'servers')
        .addColumn('user_id', 'bigint', (c) =>
          c.notNull().references('users.id').onDelete('cascade'),
        )
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('display_name', 'text')
        .addColumn('state', 'text', (c) => c.notNull())
        .addColumn('state_since', 'bigint', (c) => c.notNull())
        .addColumn('version', 'bigint', (c) => c.notNull().defaultTo(0))
        .addColumn('run_id', 'text')
        .addColumn('started_at', 'bigint')
        .addColumn('last_activity_at', 'bigint')
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('target', 'text')
        .addColumn('user_options', 'text')
        .addColumn('spawner_id', 'text')
        .addColumn('spawner_state', 'text')
        .addColumn('failure', 'text')
        .addUniqueConstraint('uq_servers_user_name', ['user_id', 'name'])
        .execute()
      await index(db, 'servers', ['state'])
      await id(db, 'operations')
        .addColumn('server_id', 'bigint', (c) =>
          c.notNull().references('servers.id').onDelete('cascade'),
        )
        .addColumn('user_id', 'bigint', (c) => c.notNull())
        .addColumn('kind', 'text', (c) => c.notNull())
        .addColumn('state', 'text', (c) => c.notNull())
        .addColumn('step', 'text', (c) => c.notNull())
        .addColumn('request', 'text', (c) => c.notNull())
        .addColumn('owner', 'text')
        .addColumn('lease_expires_at', 'bigint')
        .addColumn('deadline_at', 'bigint')
        .addColumn('attempt', 'integer', (c) => c.notNull().defaultTo(0))
        .addColumn('cancel_requested', 'integer', (c) => c.notNull().defaultTo(0))
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('finished_at', 'bigint')
        .execute()
      await index(db, 'operations', ['state', 'id'])
      await index(db, 'operations', ['server_id', 'id'])
      await id(db, 'progress_events')
        .addColumn('operation_id', 'bigint', (c) =>
          c.notNull().references('operations.id').onDelete('cascade'),
        )
        .addColumn('at', 'bigint', (c) => c.notNull())
        .addColumn('data', 'text', (c) => c.notNull())
        .execute()
      await index(db, 'progress_events', ['operation_id', 'id'])
      await id(db, 'audit_events')
        .addColumn('at', 'bigint', (c) => c.notNull())
        .addColumn('actor', 'text', (c) => c.notNull())
        .addColumn('action', 'text', (c) => c.notNull())
        .addColumn('subject', 'text', (c) => c.notNull())
        .addColumn('data', 'text', (c) => c.notNull())
        .execute()
      await index(db, 'audit_events', ['at'])
      await db.schema
        .createTable('routes')
        .addColumn('routespec', 'text', (c) => c.primaryKey())
        .addColumn('target', 'text', (c) => c.notNull())
        .addColumn('data', 'text', (c) => c.notNull())
        .addColumn('seq', 'bigint', (c) => c.notNull())
        .addColumn('deleted', 'integer', (c) => c.notNull().defaultTo(0))
        .execute()
      await index(db, 'routes', ['seq'])
      await db.schema
        .createTable('counters')
        .addColumn('name', 'text', (c) => c.primaryKey())
        .addColumn('value', 'bigint', (c) => c.notNull())
        .execute()
      await sql`insert into counters (name, value) values ('routes', 0)`.execute(db)
      await db.schema
        .createTable('oauth_clients')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('description', 'text', (c) => c.notNull())
        .addColumn('secret_hash', 'text', (c) => c.notNull())
        .addColumn('redirect_uri', 'text', (c) => c.notNull())
        .addColumn('allowed_scopes', 'text', (c) => c.notNull())
        .addColumn('server_id', 'bigint', (c) => c.references('servers.id').onDelete('cascade'))
        .addColumn('service_id', 'bigint', (c) => c.references('services.id').onDelete('cascade'))
        .execute()
      await sql`insert into oauth_clients (id, description, secret_hash, redirect_uri, allowed_scopes)
        values ('jupyterhub', 'JupyterHub', '', '', '[]')`.execute(db)
      await index(db, 'oauth_clients', ['server_id'])
      await id(db, 'api_tokens')
        .addColumn('hashed', 'text', (c) => c.notNull().unique())
        .addColumn('prefix', 'text', (c) => c.notNull())
        .addColumn('user_id', 'bigint', (c) => c.references('users.id').onDelete('cascade'))
        .addColumn('service_id', 'bigint', (c) => c.references('services.id').onDelete('cascade'))
        .addColumn('server_id', 'bigint', (c) => c.references('servers.id').onDelete('cascade'))
        .addColumn('client_id', 'text', (c) =>
          c.notNull().references('oauth_clients.id').onDelete('cascade'),
        )
        .addColumn('session_id', 'text')
        .addColumn('note', 'text', (c) => c.notNull())
        .addColumn('scopes', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('expires_at', 'bigint')
        .addColumn('last_activity_at', 'bigint')
        .addCheckConstraint('ck_api_tokens_owner', sql`(user_id is null) <> (service_id is null)`)
        .execute()
      await index(db, 'api_tokens', ['prefix'])
      await index(db, 'api_tokens', ['user_id'])
      await index(db, 'api_tokens', ['client_id'])
      await index(db, 'api_tokens', ['expires_at'])
      await db.schema
        .createTable('oauth_codes')
        .addColumn('hashed', 'text', (c) => c.primaryKey())
        .addColumn('client_id', 'text', (c) =>
          c.notNull().references('oauth_clients.id').onDelete('cascade'),
        )
        .addColumn('user_id', 'bigint', (c) =>
          c.notNull().references('users.id').onDelete('cascade'),
        )
        .addColumn('redirect_uri', 'text', (c) => c.notNull())
        .addColumn('session_id', 'text', (c) => c.notNull())
        .addColumn('scopes', 'text', (c) => c.notNull())
        .addColumn('code_challenge', 'text')
        .addColumn('code_challenge_method', 'text')
        .addColumn('expires_at', 'bigint', (c) => c.notNull())
        .execute()
      await id(db, 'shares')
        .addColumn('owner_id', 'bigint', (c) =>
          c.notNull().references('users.id').onDelete('cascade'),
        )
        .addColumn('server_id', 'bigint', (c) =>
          c.notNull().references('servers.id').onDelete('cascade'),
        )
        .addColumn('user_id', 'bigint', (c) => c.references('users.id').onDelete('cascade'))
        .addColumn('group_id', 'bigint', (c) => c.references('groups.id').onDelete('cascade'))
        .addColumn('scopes', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('expires_at', 'bigint')
        .addCheckConstraint('ck_shares_recipient', sql`(user_id is null) <> (group_id is null)`)
        .execute()
      await index(db, 'shares', ['server_id'])
      await index(db, 'shares', ['user_id'])
      await index(db, 'shares', ['group_id'])
      await db.schema
        .createTable('setup_links')
        .addColumn('hashed', 'text', (c) => c.primaryKey())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('expires_at', 'bigint', (c) => c.notNull())
        .addColumn('used_at', 'bigint')
        .execute()
      await db.schema
        .createTable('login_failures')
        .addColumn('key', 'text', (c) => c.primaryKey())
        .addColumn('failures', 'integer', (c) => c.notNull())
        .addColumn('window_start', 'bigint', (c) => c.notNull())
        .addColumn('blocked_until', 'bigint', (c) => c.notNull())
        .execute()
      await db.schema
        .createTable('leases')
        .addColumn('name', 'text', (c) => c.primaryKey())
        .addColumn('owner', 'text', (c) => c.notNull())
        .addColumn('expires_at', 'bigint', (c) => c.notNull())
        .execute()
    },
  }
}

async function mapTable(
  db: Kysely<unknown>,
  table: string,
  ...columns: [string, string, string, string]
): Promise<void> {
  const [left, leftTarget, right, rightTarget] = columns
  await db.schema
    .createTable(table)
    .addColumn(left, 'bigint', (c) => c.notNull().references(leftTarget).onDelete('cascade'))
    .addColumn(right, 'bigint', (c) => c.notNull().references(rightTarget).onDelete('cascade'))
    .addPrimaryKeyConstraint(`pk_${table}`, [left, right])
    .execute()
  await index(db, table, [right])
}

async function index(db: Kysely<unknown>, table: string, columns: string[]): Promise<void> {
  await db.schema
    .createIndex(`ix_${table}_${columns.join('_')}`)
    .on(table)
    .columns(columns)
    .execute()
}
