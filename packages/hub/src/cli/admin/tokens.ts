import type { Token } from '@orrery/client'
import type { Command } from 'commander'
import { collect, parseDuration } from './arguments.ts'
import type { Leaf } from './leaf.ts'
import { eachOutcome, listOutcome, resultOutcome, say } from './outcome.ts'
import type { Act } from './session.ts'
import { type Column, formatTime } from './table.ts'

const columns: readonly Column<Token>[] = [
  { title: 'ID', value: ({ id }) => id },
  { title: 'NOTE', value: ({ note }) => note },
  { title: 'ISSUED TO', value: ({ oauth_client: client }) => client },
  { title: 'CREATED', value: ({ created }) => formatTime(created) },
  { title: 'LAST USED', value: ({ last_activity: at }) => formatTime(at) },
  { title: 'EXPIRES', value: ({ expires_at: at }) => formatTime(at) },
]

interface CreateOptions {
  readonly note?: string
  readonly expiresIn?: number
  readonly scope?: readonly string[]
}

export function defineTokens(noun: Command, leaf: Leaf, act: Act): void {
  leaf(noun, 'list <user>', "List a user's tokens").action(
    act(['read:tokens'], async ({ hub }, user: string) =>
      resultOutcome(await hub.tokens.list(user), (tokens) => listOutcome(tokens, columns)),
    ),
  )

  leaf(noun, 'create <user>', 'Create a token for a user and print it, this once')
    .option('--note <text>', 'what it is for')
    .option(
      '--expires-in <duration>',
      'lifetime, such as 12h or 30d; without it, as long as the hub allows',
      parseDuration,
    )
    .option(
      '--scope <scope>',
      'what it may do (may be repeated); without any, all that the user may',
      collect,
    )
    .action(
      act(['tokens'], async ({ hub }, user: string, options: CreateOptions) => {
        const { note, expiresIn: lifetimeMs, scope: scopes } = options
        const created = await hub.tokens.create(user, { note, lifetimeMs, scopes })
        // Nothing but the token on stdout, as with `orrery token`.
        return resultOutcome(created, (token) => ({
          data: token,
          problems: [],
          text: () => token.token,
        }))
      }),
    )

  leaf(
    noun,
    'revoke <user> <id...>',
    'Revoke tokens of a user, by the ids that `list` shows',
  ).action(
    act(['tokens'], async ({ hub }, user: string, ids: readonly string[]) =>
      eachOutcome(ids, async (id) => say(await hub.tokens.revoke(user, id), 'revoked')),
    ),
  )
}
