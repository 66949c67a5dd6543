import { expect, test, vi } from 'vitest'
import { warnOfOtherScheme } from '../../src/startup/other-scheme.ts'
import { createServer, updateServer } from '../../src/storage/servers.ts'
import { createUser } from '../../src/storage/users.ts'
import { describeStores } from '../support/stores.ts'

const now = new Date('2026-11-25T12:00:00Z')

describeStores('servers of before internal_ssl', (open) => {
  test('those that run are counted, by the scheme that they were started with', async () => {
    const store = await open()
    await store.write(async (tx) => {
      const user = await createUser(tx, { name: 'ada' }, now)
      for (const name of ['a', 'b', 'c', 'stopped']) {
        const server = await createServer(tx, { userId: user.id, name, displayName: null }, now)
        if (name === 'stopped') continue
        const spawning = { kind: 'spawning', since: now } as const
        const started = await updateServer(tx, server, { state: spawning })
        const target = new URL(name === 'c' ? 'https://10.0.0.1:1' : 'http://10.0.0.1:1')
        if (started === undefined) throw new TypeError('it was made just now')
        await updateServer(tx, started, { state: { kind: 'ready', startedAt: now, target } })
      }
    })
    const counts: unknown[] = []
    const logger = { warn: vi.fn((details: object) => counts.push(details)) }
    await warnOfOtherScheme({ store, logger }, true)
    await warnOfOtherScheme({ store, logger }, false)
    expect(counts).toEqual([{ servers: 2 }, { servers: 1 }])
  })
})
