import type { Recipient, ServerRef, Share } from '@orrery/client'
import type { Command } from 'commander'
import { collect, nameOf, parseServer } from './arguments.ts'
import { type Leaf, limitOption } from './leaf.ts'
import { collectPages, pageLimit } from './lists.ts'
import { doneOutcome, listOutcome, oneOutcome, resultOutcome } from './outcome.ts'
import type { Act, Session } from './session.ts'
import { type Column, formatTime } from './table.ts'

const columns: readonly Column<Share>[] = [
  {
    title: 'SERVER',
    value: ({ server }) => nameOf({ user: server.user.name, server: server.name }),
  },
  {
    title: 'WITH',
    value: ({ user, group }) => (user === null ? `group ${group?.name ?? ''}` : user.name),
  },
  { title: 'SCOPES', value: ({ scopes }) => scopes.join(', ') },
  { title: 'SINCE', value: ({ created_at: at }) => formatTime(at) },
]

interface RecipientOptions {
  readonly user?: string
  readonly group?: string
  readonly scope?: readonly string[]
}

export function defineShares(noun: Command, leaf: Leaf, act: Act): void {
  leaf(noun, 'list', 'List with whom servers are shared')
    .argument('<owner>', 'USER for all servers of the user, USER/ for the default one, USER/SERVER')
    .addOption(limitOption())
    .action(
      act(['read:shares'], async ({ hub }, owner: string, { limit }: { limit: number }) => {
        const { user, server = '' } = parseServer(owner)
        const from: ServerRef = owner.includes('/') ? { user, server } : { user }
        const { items, total } = await collectPages(hub.shares.pages(from, pageLimit(limit)), limit)
        return listOutcome(items, columns, { total })
      }),
    )

  withRecipient(leaf(noun, 'grant', 'Share a server with a user or group')).action(
    act(grantScopes, async (session, server: ServerRef, options: RecipientOptions) => {
      const wish = { ...recipientOf(session, options), scopes: options.scope }
      return resultOutcome(await session.hub.shares.grant(server, wish), (share) =>
        oneOutcome(share, columns),
      )
    }),
  )

  withRecipient(leaf(noun, 'revoke', 'End what a user or group may do to a server')).action(
    act(['shares'], async (session, server: ServerRef, options: RecipientOptions) => {
      const wish = { ...recipientOf(session, options), scopes: options.scope }
      return resultOutcome(await session.hub.shares.revoke(server, wish), (left) =>
        left === undefined
          ? doneOutcome([{ subject: nameOf(server), result: 'nothing is shared any more' }])
          : oneOutcome(left, columns),
      )
    }),
  )
}

/** Nobody shares what they may not do themselves. */
function grantScopes(_server: ServerRef, { scope = [] }: RecipientOptions): readonly string[] {
  return ['shares', 'read:users:name', 'read:groups:name', ...scope]
}

function withRecipient(command: Command): Command {
  return command
    .argument('<server>', 'USER or USER/SERVER', parseServer)
    .option('--user <name>', 'with this user')
    .option('--group <name>', 'with this group')
    .option('--scope <scope>', 'what (may be repeated); access to the server by default', collect)
}

function recipientOf(session: Session, { user, group }: RecipientOptions): Recipient {
  if (user !== undefined && group === undefined) return { user }
  if (group !== undefined && user === undefined) return { group }
  return session.usage('name either --user or --group')
}
