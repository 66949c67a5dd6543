import type { Role } from '@orrery/client'
import type { Command } from 'commander'
import type { Leaf } from './leaf.ts'
import { listOutcome, oneOutcome, resultOutcome } from './outcome.ts'
import type { Act } from './session.ts'
import type { Column } from './table.ts'

const columns: readonly Column<Role>[] = [
  { title: 'NAME', value: ({ name }) => name },
  { title: 'USERS', value: ({ members }) => String(members.users) },
  { title: 'GROUPS', value: ({ members }) => String(members.groups) },
  { title: 'SERVICES', value: ({ members }) => String(members.services) },
  { title: 'DESCRIPTION', value: ({ description }) => description },
]
const details: readonly Column<Role>[] = [
  ...columns,
  { title: 'SCOPES', value: ({ scopes }) => scopes.join(', ') },
]

export function defineRoles(noun: Command, leaf: Leaf, act: Act): void {
  leaf(noun, 'list', 'List roles and how many hold them').action(
    act(['read:roles'], async ({ hub }) =>
      resultOutcome(await hub.roles.list(), (roles) => listOutcome(roles, columns)),
    ),
  )
  leaf(noun, 'show <name>', 'Show a role with its scopes').action(
    act(['read:roles'], async ({ hub }, name: string) =>
      resultOutcome(await hub.roles.get(name), (role) => oneOutcome(role, details)),
    ),
  )
}
