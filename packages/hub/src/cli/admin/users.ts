import { type User, unwrap } from '@orrery/client'
import type { Command } from 'commander'
import { parseOnOff } from './arguments.ts'
import { choice, type Leaf, limitOption } from './leaf.ts'
import { collectPages, pageLimit } from './lists.ts'
import {
  describeMany,
  doneOutcome,
  eachOutcome,
  listOutcome,
  oneOutcome,
  resultOutcome,
  say,
} from './outcome.ts'
import type { Act } from './session.ts'
import { type Column, formatFlag, formatTime } from './table.ts'

const columns: readonly Column<User>[] = [
  { title: 'NAME', value: ({ name }) => name },
  { title: 'ADMIN', value: ({ admin }) => formatFlag(admin) },
  { title: 'GROUPS', value: ({ groups }) => groups?.join(', ') },
  { title: 'SERVERS', value: ({ servers }) => servers && describeServers(servers) },
  { title: 'LAST ACTIVITY', value: ({ last_activity: at }) => formatTime(at) },
]
const details: readonly Column<User>[] = [
  ...columns.slice(0, 3),
  { title: 'ROLES', value: ({ roles }) => roles?.join(', ') },
  ...columns.slice(3),
  { title: 'CREATED', value: ({ created }) => formatTime(created) },
  { title: 'DISABLED', value: ({ disabled }) => formatFlag(disabled === true) },
]

const readScopes = ['list:users', 'read:users', 'read:roles:users', 'read:servers']

interface ListOptions {
  readonly state?: 'active' | 'ready' | 'inactive'
  readonly name?: string
  readonly sort: 'id' | 'name' | '-name' | 'last_activity' | '-last_activity'
  readonly limit: number
}

export function defineUsers(noun: Command, leaf: Leaf, act: Act): void {
  leaf(noun, 'list', 'List users')
    .addOption(limitOption())
    .option('--name <text>', 'only users whose name has this text')
    .addOption(
      choice('--state <state>', 'only users in this state', ['active', 'ready', 'inactive']),
    )
    .addOption(
      choice('--sort <key>', 'order', [
        'id',
        'name',
        '-name',
        'last_activity',
        '-last_activity',
      ]).default('id'),
    )
    .action(
      act(readScopes, async ({ hub }, { name, state, sort, limit }: ListOptions) => {
        const query = { ...pageLimit(limit), nameFilter: name, state, sort }
        const { items, total } = await collectPages(hub.users.pages(query), limit)
        return listOutcome(items, columns, { total })
      }),
    )

  leaf(noun, 'show <name>', 'Show a user').action(
    act(readScopes, async ({ hub }, name: string) => {
      const found = await hub.users.get(name, { includeStoppedServers: true })
      return resultOutcome(found, (user) => oneOutcome(user, details))
    }),
  )

  leaf(noun, 'add <name...>', 'Create users')
    .option('--admin', 'make them administrators')
    .action(
      act(
        ['admin:users'],
        async ({ hub }, names: readonly string[], { admin }: { admin?: true }) => {
          const created = unwrap(await hub.users.createMany(names, admin ? { admin } : {}))
          const made = created.map(({ name = '' }) => name)
          const existing = names.filter((name) => !made.includes(name.toLowerCase()))
          return doneOutcome(
            made.map((subject) => ({ subject, result: 'created' })),
            existing.map((subject) => ({
              subject,
              error: { kind: 'refused', status: 409, message: 'there is such a user already' },
            })),
          )
        },
      ),
    )

  leaf(noun, 'remove <name...>', 'Stop the servers of users and delete the users')
    .alias('delete')
    .action(
      act(['delete:users', 'delete:servers'], async (session, names: readonly string[]) => {
        await session.confirm(
          `Delete ${describeMany(names, 'users')} with servers, tokens and shares?`,
        )
        return eachOutcome(names, async (name) =>
          say(await session.hub.users.remove(name), 'deleted'),
        )
      }),
    )

  leaf(noun, 'admin', 'Make a user an administrator, or an ordinary user again')
    .argument('<name>')
    .argument('<on|off>', '', parseOnOff)
    .action(
      act(['admin:users'], async ({ hub }, name: string, admin: boolean) =>
        eachOutcome([name], async () =>
          say(
            await hub.users.update(name, { admin }),
            admin ? 'is an administrator' : 'is no administrator',
          ),
        ),
      ),
    )

  for (const [verb, disabled] of [
    ['disable', true],
    ['enable', false],
  ] as const) {
    const summary = disabled
      ? 'Keep users out: sessions, tokens and servers end'
      : 'Let disabled users in again'
    leaf(noun, `${verb} <name...>`, summary).action(
      act(['admin:users'], async (session, names: readonly string[]) => {
        if (disabled && names.length > 1)
          await session.confirm(`Disable ${describeMany(names, 'users')}?`)
        return eachOutcome(names, async (name) =>
          say(await session.hub.users.update(name, { disabled }), `${verb}d`),
        )
      }),
    )
  }

  leaf(noun, 'rename <name> <new-name>', 'Give a user another name').action(
    act(['admin:users'], async ({ hub }, name: string, newName: string) =>
      eachOutcome([name], async () =>
        say(await hub.users.update(name, { name: newName }), `is ${newName} now`),
      ),
    ),
  )
}

function describeServers(servers: NonNullable<User['servers']>): string {
  return Object.values(servers)
    .map(({ name, ready, pending }) => {
      const state = ready ? '' : ` (${pending ?? 'stopped'})`
      return `${name === '' ? 'default' : name}${state}`
    })
    .join(', ')
}
