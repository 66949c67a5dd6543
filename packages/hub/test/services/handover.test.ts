import { afterEach, beforeEach, describe, expect, inject, test, vi } from 'vitest'
import { findServiceRun, putServiceRun } from '../../src/storage/service-runs.ts'
import { openStore } from '../../src/storage/open.ts'
import type { Store } from '../../src/storage/store.ts'
import { createPostgresDatabase, type TestDatabase } from '../support/stores.ts'
import { describeStores } from '../support/stores.ts'
import { isAlive, ServiceKit } from './service-kit.ts'

let kit: ServiceKit
vi.setConfig({ testTimeout: 60_000 })
beforeEach(async () => {
  kit = await ServiceKit.create()
})

/** A process of the service with its stored run, and no hub: as after a crash of it. */
async function runWithoutHub(store: Store): Promise<number> {
  const services = await kit.start(store, [kit.service()])
  await kit.factsOf('tiny')
  const run = await findServiceRun(store.db, 'tiny')
  if (run === undefined) throw new TypeError('it runs')
  // The ending hub finds no run to end; then it is there again.
  await store.write((tx) => tx.db.deleteFrom('service_runs').execute())
  await services.stop()
  await store.write((tx) => putServiceRun(tx, run))
  const [pid = 0] = kit.pidsIn('tiny.starts')
  expect(isAlive(pid)).toBe(true)
  return pid
}

describeStores('processes that a killed hub left', (open) => {
  afterEach(() => kit.close()) // before the store, which closes after it

  test('the next hub takes its service over', async () => {
    const store = await open()
    const pid = await runWithoutHub(store)
    const services = await kit.start(store, [kit.service()])
    await kit.until(() => kit.log.some((line) => line.includes('taking over a running service')))
    expect(kit.pidsIn('tiny.starts')).toEqual([pid])
    await services.stop()
    expect(isAlive(pid)).toBe(false)
  })

  test('a service that is no longer configured is ended', async () => {
    const store = await open()
    const pid = await runWithoutHub(store)
    await kit.start(store, [])
    await kit.until(() => !isAlive(pid))
    await kit.until(async () => (await findServiceRun(store.db, 'tiny')) === undefined)
  })

  test('one that another hub has replaced is ended', async () => {
    const store = await open()
    const pid = await runWithoutHub(store)
    await store.write((tx) => tx.db.deleteFrom('service_runs').execute())
    await kit.start(store, [])
    await kit.until(() => !isAlive(pid))
  })

  test('a run of another machine, or of an earlier boot, is started anew', async () => {
    const store = await open()
    const pid = await runWithoutHub(store)
    const run = await findServiceRun(store.db, 'tiny')
    if (run === undefined) throw new TypeError('it is stored')
    const state = { ...run.state, bootId: 'another' }
    await store.write((tx) => putServiceRun(tx, { ...run, state }))
    await kit.start(store, [kit.service()])
    await kit.until(() => kit.pidsIn('tiny.starts').length === 2)
    expect(kit.pidsIn('tiny.starts')[0]).toBe(pid)
    process.kill(pid, 'SIGKILL') // which this hub cannot know as its own any more
    await kit.until(() => !isAlive(pid))
  })
})

describe.skipIf(inject('postgresUrl') === '')('a lease that goes to another hub', () => {
  let database: TestDatabase
  let store: Store
  beforeEach(async () => {
    database = await createPostgresDatabase(inject('postgresUrl'))
    store = await openStore({ url: database.url, directory: '/' })
  })
  afterEach(async () => {
    await kit.close()
    await store.close()
    await database.drop()
  })

  async function giveLeaseAway(): Promise<void> {
    const values = { owner: 'another hub', expires_at: Date.now() + 3_600_000 }
    await store.write((tx) => tx.db.updateTable('leases').set(values).execute())
  }

  test('leaves the process to it, when it goes on with this process', async () => {
    const services = await kit.start(store, [kit.service()])
    await kit.factsOf('tiny')
    const [pid = 0] = kit.pidsIn('tiny.starts')
    await giveLeaseAway()
    await services.stop()
    expect(kit.pidsIn('tiny.ends')).toEqual([])
    expect(isAlive(pid)).toBe(true)
    process.kill(pid, 'SIGKILL')
    await kit.until(() => !isAlive(pid))
  })

  test('ends the process here, when the other hub has one of its own', async () => {
    await kit.start(store, [kit.service()])
    await kit.factsOf('tiny')
    const run = await findServiceRun(store.db, 'tiny')
    if (run === undefined) throw new TypeError('it runs')
    await store.write((tx) => putServiceRun(tx, { ...run, runId: 'f'.repeat(32) }))
    await giveLeaseAway()
    await kit.until(() => kit.pidsIn('tiny.ends').length === 1)
    expect((await findServiceRun(store.db, 'tiny'))?.runId).toBe('f'.repeat(32))
    expect(kit.pidsIn('tiny.starts')).toHaveLength(1)
  })
})
