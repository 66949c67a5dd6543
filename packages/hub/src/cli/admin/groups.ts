import { type Group, type JsonObject, type Result, unwrap } from '@orrery/client'
import type { Command } from 'commander'
import { parseProperty } from './arguments.ts'
import { type Leaf, limitOption } from './leaf.ts'
import { collectPages, pageLimit } from './lists.ts'
import {
  describeMany,
  eachOutcome,
  listOutcome,
  oneOutcome,
  resultOutcome,
  say,
} from './outcome.ts'
import type { Act } from './session.ts'
import type { Column } from './table.ts'

const columns: readonly Column<Group>[] = [
  { title: 'NAME', value: ({ name }) => name },
  { title: 'MEMBERS', value: ({ users }) => users && String(users.length) },
  { title: 'ROLES', value: ({ roles }) => roles?.join(', ') },
]
const details: readonly Column<Group>[] = [
  { title: 'NAME', value: ({ name }) => name },
  { title: 'MEMBERS', value: ({ users }) => users?.join(', ') },
  { title: 'ROLES', value: ({ roles }) => roles?.join(', ') },
  { title: 'PROPERTIES', value: ({ properties }) => properties && JSON.stringify(properties) },
]

const readScopes = ['list:groups', 'read:groups', 'read:roles:groups']

export function defineGroups(noun: Command, leaf: Leaf, act: Act): void {
  leaf(noun, 'list', 'List groups')
    .addOption(limitOption())
    .action(
      act(readScopes, async ({ hub }, { limit }: { limit: number }) => {
        const { items, total } = await collectPages(hub.groups.pages(pageLimit(limit)), limit)
        return listOutcome(items, columns, { total })
      }),
    )

  leaf(noun, 'show <name>', 'Show a group with its members').action(
    act(readScopes, async ({ hub }, name: string) => showGroup(await hub.groups.get(name))),
  )

  leaf(noun, 'add <name...>', 'Create groups').action(
    act(['admin:groups'], async ({ hub }, names: readonly string[]) =>
      eachOutcome(names, async (name) => say(await hub.groups.create(name), 'created')),
    ),
  )

  leaf(noun, 'remove <name...>', 'Delete groups')
    .alias('delete')
    .action(
      act(['delete:groups'], async (session, names: readonly string[]) => {
        await session.confirm(`Delete ${describeMany(names, 'groups')}?`)
        return eachOutcome(names, async (name) =>
          say(await session.hub.groups.remove(name), 'deleted'),
        )
      }),
    )
  defineMembers(noun.command('members').description('Who is in a group'), leaf, act)
  defineProperties(noun.command('properties').description('What is attached to a group'), leaf, act)
}

function defineMembers(noun: Command, leaf: Leaf, act: Act): void {
  const scopes = ['groups', 'read:roles:groups']
  leaf(noun, 'add <group> <user...>', 'Add users to a group').action(
    act(scopes, async ({ hub }, group: string, users: readonly string[]) =>
      showGroup(await hub.groups.addMembers(group, users)),
    ),
  )
  leaf(noun, 'remove <group> <user...>', 'Remove users from a group').action(
    act(scopes, async ({ hub }, group: string, users: readonly string[]) =>
      showGroup(await hub.groups.removeMembers(group, users)),
    ),
  )
}

function defineProperties(noun: Command, leaf: Leaf, act: Act): void {
  const scopes = ['groups', 'read:roles:groups']
  leaf(noun, 'set', 'Set properties and keep the others')
    .argument('<group>')
    .argument('<key=value...>', 'the value is JSON, or else text', parseProperty)
    .action(
      act(scopes, async ({ hub }, group: string, properties: JsonObject) => {
        const { properties: before = {} } = unwrap(await hub.groups.get(group))
        return showGroup(await hub.groups.setProperties(group, { ...before, ...properties }))
      }),
    )
  leaf(noun, 'unset <group> <key...>', 'Remove properties').action(
    act(scopes, async ({ hub }, group: string, keys: readonly string[]) => {
      const { properties = {} } = unwrap(await hub.groups.get(group))
      const left = Object.entries(properties).filter(([key]) => !keys.includes(key))
      return showGroup(await hub.groups.setProperties(group, Object.fromEntries(left)))
    }),
  )
}

function showGroup(result: Result<Group>) {
  return resultOutcome(result, (group) => oneOutcome(group, details))
}
