import { tmpdir } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { createPrincipals } from '../../src/access/principals.ts'
import { createScopeRules } from '../../src/access/rbac-rules.ts'
import { openStore } from '../../src/storage/open.ts'
import type { Store } from '../../src/storage/store.ts'
import { createToken, deleteTokens } from '../../src/storage/tokens.ts'
import { addUser, seedRoles } from '../support/hubs.ts'
import { createPostgresDatabase } from '../support/stores.ts'
import { startTcpRelay } from '../support/tcp-relay.ts'

const adminUrl = inject('postgresUrl')
const absent = adminUrl === ''
const suffix = absent ? ' (skipped: no PostgreSQL server programs on this machine)' : ''

describe.skipIf(absent)(`hearing other hubs on postgres${suffix}`, () => {
  const ends: (() => unknown)[] = []
  afterEach(async () => {
    for (const end of ends.splice(0).toReversed()) await end()
  })

  async function open(url: string): Promise<Store> {
    const store = await openStore({ url, directory: tmpdir() })
    ends.push(() => store.close())
    return store
  }

  async function begin() {
    const database = await createPostgresDatabase(adminUrl)
    ends.push(() => database.drop())
    const here = await open(database.url)
    const { hostname, port } = new URL(database.url)
    const relay = await startTcpRelay({ host: hostname, port: Number(port) })
    ends.push(() => relay.close())
    const there = await open(database.url.replace(`:${port}/`, `:${relay.port}/`))
    await seedRoles(here)
    return { here, there, relay }
  }

  it('a revocation reaches a hub whose listening connection died silently within 10 s', async () => {
    const { here, there, relay } = await begin()
    const principals = createPrincipals({ store: there, rules: createScopeRules(new Map()) })
    ends.push(() => principals.close())
    const user = await addUser(here, 'ada')
    const value = 't'.repeat(32)
    const owner = { kind: 'user', id: user.id } as const
    const token = { value, owner, scopes: ['inherit'], note: '' }
    const id = await here.write((tx) => createToken(tx, token, new Date()))
    expect((await principals.findByToken(value))?.name).toBe('ada')
    expect(relay.silence('listen orrery')).toBe(1)
    await here.write((tx) => deleteTokens(tx, { id }))
    const deletedAt = Date.now()
    // It is the memory that answers now: without it this test would say nothing.
    expect((await principals.findByToken(value))?.name).toBe('ada')
    while ((await principals.findByToken(value)) !== undefined) {
      expect(Date.now() - deletedAt).toBeLessThan(10_000)
      await delay(50)
    }
    // And announcements arrive again, over a new connection.
    let heard = false
    there.bus.on(['route'], (change) => (heard ||= change?.id === 'again'))
    while (!heard) {
      await here.write(async (tx) => tx.changed('route', 'again'))
      await delay(50)
    }
  }, 30_000)

  it('says that changes were missed for an announcement that is too long', async () => {
    const { here, there } = await begin()
    const heard = Promise.withResolvers<unknown>()
    there.bus.on(['client'], (change) => heard.resolve(change))
    await here.write(async (tx) => {
      for (let n = 0; n < 150; n += 1)
        tx.changed('client', `jupyterhub-user-${n}-${'x'.repeat(60)}`)
    })
    expect(await heard.promise).toBeUndefined()
  })
})
