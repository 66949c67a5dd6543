import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterEach, describe, inject } from 'vitest'
import { openStore } from '../../src/storage/open.ts'
import type { Store } from '../../src/storage/store.ts'

export interface TestDatabase {
  readonly url: string
  drop(): Promise<void>
}

/** An empty SQLite file in a temporary folder. */
export async function createSqliteDatabase(): Promise<TestDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'orrery-db-'))
  return {
    url: `sqlite:///${join(folder, 'orrery.sqlite')}`,
    drop: () => rm(folder, { recursive: true, force: true }),
  }
}

/** An empty database in the run's PostgreSQL. */
export async function createPostgresDatabase(adminUrl: string): Promise<TestDatabase> {
  const name = `orrery_${randomBytes(6).toString('hex')}`
  await administer(adminUrl, `create database ${name}`)
  return {
    url: adminUrl.replace(/[^/]+$/, name),
    drop: () => administer(adminUrl, `drop database if exists ${name} with (force)`),
  }
}

async function administer(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

/** Runs the same tests on both databases. `open` gives a store on an empty one. */
export function describeStores(
  title: string,
  define: (open: (options?: { sameAs?: string }) => Promise<Store & { url?: string }>) => void,
): void {
  for (const dialect of ['sqlite', 'postgres'] as const) {
    const adminUrl = dialect === 'postgres' ? inject('postgresUrl') : ''
    const absent = dialect === 'postgres' && adminUrl === ''
    const suffix = absent ? ' (skipped: no PostgreSQL server programs on this machine)' : ''
    describe.skipIf(absent)(`${title} on ${dialect}${suffix}`, () => {
      const stores: Store[] = []
      const databases: TestDatabase[] = []
      afterEach(async () => {
        for (const store of stores.splice(0)) await store.close()
        for (const database of databases.splice(0)) await database.drop()
      })
      define(async (options) => {
        let url = options?.sameAs
        if (url === undefined) {
          const database =
            dialect === 'sqlite'
              ? await createSqliteDatabase()
              : await createPostgresDatabase(adminUrl)
          databases.push(database)
          url = database.url
        }
        const store = await openStore({ url, directory: tmpdir() })
        stores.push(store)
        return Object.assign(store, { url })
      })
    })
  }
}
