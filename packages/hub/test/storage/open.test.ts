import { tmpdir } from 'node:os'
import { Client } from 'pg'
import { describe, expect, inject, test } from 'vitest'
import { openStore } from '../../src/storage/open.ts'
import { createPostgresDatabase } from '../support/stores.ts'

describe.skipIf(inject('postgresUrl') === '')('an empty PostgreSQL', () => {
  test('is filled once by hubs that start at the same time', async () => {
    const database = await createPostgresDatabase(inject('postgresUrl'))
    const open = () => openStore({ url: database.url, directory: tmpdir() })
    try {
      const stores = await Promise.all([open(), open(), open(), open()])
      for (const store of stores) await store.close()
    } finally {
      await database.drop()
    }
  })

  test('is no older one to a hub that comes while another has just begun to fill it', async () => {
    const database = await createPostgresDatabase(inject('postgresUrl'))
    const client = new Client({ connectionString: database.url })
    await client.connect()
    try {
      // The first that is committed; the rest comes at once.
      await client.query('create table kysely_migration (name text primary key, timestamp text)')
      const store = await openStore({ url: database.url, directory: tmpdir() })
      await store.close()
      const { rows } = await client.query('select name from kysely_migration')
      expect(rows.length).toBeGreaterThan(0)
    } finally {
      await client.end()
      await database.drop()
    }
  })
})
