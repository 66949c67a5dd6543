import { expect, test } from 'vitest'
import { addGroupMember, ensureGroup, setGroupsOfUser } from '../storage/groups.ts'
import { openStore } from '../storage/open.ts'
import { createUser, deleteUser, findUserById, updateUser } from '../storage/users.ts'
import { MembershipIndex } from './membership-index.ts'

async function start() {
  const store = await openStore({ url: 'sqlite:///:memory:', directory: '.' })
  const index = new MembershipIndex(store)
  store.bus.on(['user', 'group'], (change) => index.hear(change))
  const addUser = (name: string) => store.write((tx) => createUser(tx, { name }, new Date()))
  const groupsOf = async (name: string) => [...(await index.load())(name)].toSorted().join(' ')
  return { store, addUser, groupsOf }
}

test('follows members, names and groups', async () => {
  const { store, addUser, groupsOf } = await start()
  const [ada, bob] = [await addUser('ada'), await addUser('bob')]
  expect(await groupsOf('ada')).toBe('')
  const join = (groupId: number, userId: number) =>
    store.write((tx) => addGroupMember(tx, groupId, userId))
  const g1 = await store.write((tx) => ensureGroup(tx, 'g1'))
  await join(g1, ada.id)
  await join(g1, bob.id)
  expect([await groupsOf('ada'), await groupsOf('bob')]).toEqual(['g1', 'g1'])
  await store.write((tx) => setGroupsOfUser(tx, ada.id, ['g1', 'g2']))
  expect(await groupsOf('ada')).toBe('g1 g2')
  // The two swap names in one transaction.
  await store.write(async (tx) => {
    await updateUser(tx, ada, { name: 'x' })
    await updateUser(tx, bob, { name: 'ada' })
    await updateUser(tx, (await findUserById(tx.db, ada.id)) ?? ada, { name: 'bob' })
  })
  expect([await groupsOf('bob'), await groupsOf('ada'), await groupsOf('x')]).toEqual([
    'g1 g2',
    'g1',
    '',
  ])
  await store.write(async (tx) => {
    await tx.db.deleteFrom('groups').where('id', '=', g1).execute()
    tx.changed('group', g1)
  })
  expect([await groupsOf('bob'), await groupsOf('ada')]).toEqual(['g2', ''])
  await store.write((tx) => deleteUser(tx, ada.id))
  expect(await groupsOf('bob')).toBe('')
  await store.close()
})

test('a missed message makes everything be read again', async () => {
  const { store, addUser, groupsOf } = await start()
  const ada = await addUser('ada')
  const g1 = await store.write((tx) => ensureGroup(tx, 'g1'))
  expect(await groupsOf('ada')).toBe('')
  await store.write(async (tx) => {
    await tx.db.insertInto('group_members').values({ group_id: g1, user_id: ada.id }).execute()
  })
  expect(await groupsOf('ada')).toBe('')
  store.bus.emitMissed()
  expect(await groupsOf('ada')).toBe('g1')
  await store.close()
})

test('a failed read is made again', async () => {
  const { store, addUser, groupsOf } = await start()
  const ada = await addUser('ada')
  await store.write((tx) => setGroupsOfUser(tx, ada.id, ['g1']))
  let isBroken = true
  const broken = new MembershipIndex({
    get db() {
      if (isBroken) throw new Error('no database')
      return store.db
    },
  })
  await expect(broken.load()).rejects.toThrow('no database')
  isBroken = false
  expect((await broken.load())('ada')).toEqual(new Set(['g1']))
  expect(await groupsOf('ada')).toBe('g1')
  await store.close()
})
