import { afterEach, beforeEach, expect, test } from 'vitest'
import type { User } from '../domain/records.ts'
import { startTestProvider, type TestProvider } from '../oauth/oauth-test-kit.ts'
import { putRole } from '../storage/access.ts'
import { addGroupMember, ensureGroup, setGroupsOfUser } from '../storage/groups.ts'
import { createToken, deleteTokens } from '../storage/tokens.ts'
import { deleteUser, findUserById, grantUserRole, updateUser } from '../storage/users.ts'
import { createActivityRecorder } from './activity.ts'
import type { Principal } from './principal.ts'

let kit: TestProvider
let ada: User

beforeEach(async () => {
  kit = await startTestProvider()
  ada = await kit.addUser('ada')
})
afterEach(() => kit.close())

const value = 't'.repeat(32)
const addToken = (scopes: string[], serverId?: number) =>
  kit.store.write((tx) =>
    createToken(
      tx,
      {
        value,
        owner: { kind: 'user', id: ada.id },
        scopes,
        note: '',
        ...(serverId !== undefined && { serverId }),
      },
      kit.clock.now,
    ),
  )
const find = () => kit.principals.findByToken(value)
const holds = async (base: string) => (await find())?.scopes.has(base) === true

test('a token is read from the store once', async () => {
  await addToken(['inherit'])
  expect(await find()).toBe(await find())
})

test('a revoked token is nobody at once', async () => {
  const id = await addToken(['inherit'])
  expect((await find())?.name).toBe('ada')
  await kit.store.write((tx) => deleteTokens(tx, { id }))
  expect(await find()).toBeUndefined()
})

test('a token that is revoked while it is looked up is nobody', async () => {
  const id = await addToken(['inherit'])
  const lookUp = find()
  await kit.store.write((tx) => deleteTokens(tx, { id }))
  await lookUp
  expect(await find()).toBeUndefined()
})

test("roles, groups and names reach the user's tokens at once", async () => {
  await addToken(['inherit'])
  expect(await holds('read:hub')).toBe(false)
  await kit.store.write(async (tx) => {
    await putRole(tx, { name: 'extra', description: '', scopes: ['read:hub'] })
    await grantUserRole(tx, ada.id, 'extra')
  })
  expect(await holds('read:hub')).toBe(true)
  await kit.store.write((tx) => putRole(tx, { name: 'extra', description: '', scopes: [] }))
  expect(await holds('read:hub')).toBe(false)
  await kit.store.write((tx) => updateUser(tx, ada, { name: 'eve' }))
  expect((await find())?.name).toBe('eve')
  await kit.store.write((tx) => deleteUser(tx, ada.id))
  expect(await find()).toBeUndefined()
})

test('scopes that hang on the group of somebody else follow that group', async () => {
  const bob = await kit.addUser('bob')
  await kit.store.write(async (tx) => {
    await putRole(tx, { name: 'tutor', description: '', scopes: ['read:users!group=g1'] })
    await grantUserRole(tx, ada.id, 'tutor')
    await addGroupMember(tx, await ensureGroup(tx, 'g1'), bob.id)
  })
  await addToken(['read:users:activity!user=bob'])
  expect(await holds('read:users:activity')).toBe(true)
  await kit.store.write((tx) => setGroupsOfUser(tx, bob.id, []))
  expect(await holds('read:users:activity')).toBe(false)
})

test('a missed message makes everything be read again', async () => {
  await addToken(['inherit'])
  const before = await find()
  kit.store.bus.emitMissed()
  expect(await find()).not.toBe(before)
})

test('a replaced cookie content ends browser sessions', async () => {
  expect((await kit.principals.findByCookieId(ada.cookieId))?.name).toBe('ada')
  await kit.store.write((tx) => updateUser(tx, ada, { cookieId: 'new' }))
  expect(await kit.principals.findByCookieId(ada.cookieId)).toBeUndefined()
  expect((await kit.principals.findByCookieId('new'))?.name).toBe('ada')
})

const lastActivity = async () => (await findUserById(kit.store.db, ada.id))?.lastActivityAt ?? null
const createRecorder = () =>
  createActivityRecorder({ store: kit.store, resolutionMs: 30_000, now: () => kit.clock.now })

test('activity is written once per resolution, and on close', async () => {
  await addToken(['inherit'])
  const principal = (await find()) as Principal
  const recorder = createRecorder()
  const first = kit.clock.now
  recorder.record(principal)
  kit.clock.now = new Date(first.getTime() + 29_999)
  recorder.record(principal)
  await recorder.flush()
  expect(await lastActivity()).toEqual(first)
  kit.clock.now = new Date(first.getTime() + 30_000)
  recorder.record(principal)
  await recorder.close()
  expect(await lastActivity()).toEqual(kit.clock.now)
})

test("a server's own token is no activity of its user", async () => {
  const server = await kit.addServer(ada)
  const id = await addToken(['inherit'], server.id)
  const recorder = createRecorder()
  recorder.record((await find()) as Principal)
  await recorder.close()
  expect(await lastActivity()).toBeNull()
  const row = await kit.store.db
    .selectFrom('api_tokens')
    .select('last_activity_at')
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  expect(row.last_activity_at).toBe(kit.clock.now.getTime())
})
