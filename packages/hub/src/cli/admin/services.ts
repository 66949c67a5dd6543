import type { Service } from '@orrery/client'
import type { Command } from 'commander'
import { defaultRoles } from '../../rbac/roles.ts'
import { collect } from './arguments.ts'
import type { Leaf } from './leaf.ts'
import { localServicePrefix } from './local-access.ts'
import {
  describeMany,
  eachOutcome,
  listOutcome,
  oneOutcome,
  resultOutcome,
  say,
} from './outcome.ts'
import { readSecret } from './secret-file.ts'
import type { Act } from './session.ts'
import { type Column, formatFlag } from './table.ts'

const columns: readonly Column<Service>[] = [
  { title: 'NAME', value: ({ name }) => name },
  { title: 'ADMIN', value: ({ admin }) => formatFlag(admin) },
  { title: 'URL', value: ({ url }) => url },
  { title: 'PREFIX', value: ({ prefix }) => prefix },
  { title: 'PID', value: ({ pid }) => (pid === 0 ? undefined : String(pid)) },
]
const details: readonly Column<Service>[] = [
  ...columns,
  { title: 'ROLES', value: ({ roles }) => roles?.join(', ') },
  { title: 'COMMAND', value: ({ command }) => command?.join(' ') },
  { title: 'LINKED', value: ({ display }) => formatFlag(display) },
]

const readScopes = ['list:services', 'read:services', 'read:roles:services']

/** Not the service that a command like this one is for as long as it runs. */
function isOthers({ name }: Service): boolean {
  return name?.startsWith(localServicePrefix) !== true
}

interface AddOptions {
  readonly serviceUrl?: string
  readonly admin?: true
  readonly apiTokenFile?: string
  readonly scope?: readonly string[]
  readonly redirectUri?: string
  readonly display: boolean
}

/** Nobody gives a service more than they have. */
function addScopes(_name: string, { admin, scope = [] }: AddOptions): readonly string[] {
  const given = admin === true ? defaultRoles.find(({ name }) => name === 'admin')?.scopes : []
  return ['admin:services', ...(given ?? []), ...scope]
}

export function defineServices(noun: Command, leaf: Leaf, act: Act): void {
  leaf(noun, 'list', 'List services').action(
    act(readScopes, async ({ hub }) =>
      resultOutcome(await hub.services.list(), (services) =>
        listOutcome(Object.values(services).filter(isOthers), columns),
      ),
    ),
  )

  leaf(noun, 'show <name>', 'Show a service').action(
    act(readScopes, async ({ hub }, name: string) =>
      resultOutcome(await hub.services.get(name), (service) => oneOutcome(service, details)),
    ),
  )

  leaf(noun, 'add <name>', 'Add a service that somebody else runs')
    .option('--service-url <url>', 'where the hub reaches it; gives it pages below /services/NAME/')
    .option('--admin', 'give it the role admin')
    .option(
      '--api-token-file <file>',
      'file that holds the token it speaks to the hub with; - is standard input',
    )
    .option('--redirect-uri <url>', 'OAuth redirect address, where it is not below /services/NAME/')
    .option('--scope <scope>', 'what its visitors may let it do (may be repeated)', collect)
    .option('--no-display', 'no link on the pages')
    .action(
      act(addScopes, async ({ hub, stdin }, name: string, options: AddOptions) => {
        const { serviceUrl: url, admin, apiTokenFile, scope, redirectUri, display } = options
        const token = apiTokenFile === undefined ? undefined : await readSecret(apiTokenFile, stdin)
        const body = {
          url,
          admin,
          display,
          api_token: token,
          oauth_client_allowed_scopes: scope,
          oauth_redirect_uri: redirectUri,
        }
        return resultOutcome(await hub.services.create(name, body), (service) =>
          oneOutcome(service, details),
        )
      }),
    )

  leaf(noun, 'remove <name...>', 'Delete services that were added at run time')
    .alias('delete')
    .action(
      act(['admin:services'], async (session, names: readonly string[]) => {
        await session.confirm(`Delete ${describeMany(names, 'services')} with their tokens?`)
        return eachOutcome(names, async (name) =>
          say(await session.hub.services.remove(name), 'deleted'),
        )
      }),
    )
}
