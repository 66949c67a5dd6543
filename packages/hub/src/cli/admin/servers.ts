import {
  type JsonObject,
  type Result,
  type Server,
  type ServerEvent,
  type ServerRef,
  unwrap,
  type User,
} from '@orrery/client'
import type { Command } from 'commander'
import { nameOf, parseDuration, parseObject, parseServer, parseServers } from './arguments.ts'
import { type Leaf, limitOption } from './leaf.ts'
import {
  describeMany,
  eachOutcome,
  listOutcome,
  oneOutcome,
  resultOutcome,
  say,
} from './outcome.ts'
import type { Act, Session } from './session.ts'
import { type Column, formatTime, printable } from './table.ts'

const nameColumn: Column<Server> = {
  title: 'SERVER',
  value: ({ full_name: name }) => name.replace(/\/$/, ''),
}
const stateColumns: readonly Column<Server>[] = [
  { title: 'STATE', value: stateOf },
  { title: 'STARTED', value: ({ started }) => formatTime(started) },
  { title: 'LAST ACTIVITY', value: ({ last_activity: at }) => formatTime(at) },
  { title: 'URL', value: ({ url }) => url },
]
const columns = [nameColumn, ...stateColumns]
const details: readonly Column<Server>[] = [
  nameColumn,
  { title: 'TITLE', value: ({ display_name: title }) => title ?? undefined },
  ...stateColumns,
  {
    title: 'OPTIONS',
    value: ({ user_options: options }) => (options === null ? undefined : JSON.stringify(options)),
  },
]

/** How many servers one command starts or stops at a time; the hub has limits of its own. */
const atOnce = 8

const listScopes = ['list:users', 'read:servers']
const startScopes = ['start:servers', 'read:servers']
const stopScopes = ['delete:servers', 'read:servers']

interface StartOptions {
  readonly title?: string
  readonly option?: JsonObject
  readonly wait: boolean
  readonly timeout?: number
}

interface StopOptions {
  readonly all?: true
  readonly wait: boolean
}

export function defineServers(noun: Command, leaf: Leaf, act: Act): void {
  leaf(noun, 'list', 'List servers that run, start or stop')
    .addOption(limitOption())
    .option('--user <name>', 'only the servers of this user')
    .option('--stopped', 'stopped servers too')
    .action(
      act(
        listScopes,
        async ({ hub }, options: { user?: string; stopped?: true; limit: number }) => {
          const { user, stopped, limit } = options
          const includeStoppedServers = stopped === true
          const servers =
            user === undefined
              ? await listServers(
                  hub.users.pages({ includeStoppedServers, ...(!stopped && { state: 'active' }) }),
                  limit,
                )
              : serversOf(unwrap(await hub.users.get(user, { includeStoppedServers })))
          return listOutcome(limit > 0 ? servers.slice(0, limit) : servers, columns)
        },
      ),
    )

  leaf(noun, 'show', 'Show a server')
    .argument('<server>', 'USER or USER/SERVER', parseServer)
    .action(
      act(['read:servers'], async ({ hub }, server: ServerRef) =>
        resultOutcome(await hub.servers.get(server), (found) => oneOutcome(found, details)),
      ),
    )

  leaf(noun, 'start', 'Start servers and wait until they are ready')
    .argument('<server...>', 'USER or USER/SERVER', parseServers)
    .option('--title <text>', 'title of a new named server')
    .option('--option <json>', 'user options for the spawner, as a JSON object', parseObject)
    .option('--timeout <duration>', 'how long to wait for each; 5m by default', parseDuration)
    .option('--no-wait', 'do not wait')
    .action(
      act(startScopes, async (session, servers: readonly ServerRef[], options: StartOptions) =>
        eachOutcome(servers.map(nameOf), (name) => start(session, parseServer(name), options), {
          atOnce,
        }),
      ),
    )

  leaf(noun, 'stop', 'Stop servers and wait until they have stopped')
    .argument('[server...]', 'USER or USER/SERVER', parseServers)
    .option('--all', 'every server that runs')
    .option('--no-wait', 'do not wait')
    .action(
      act(
        [...listScopes, ...stopScopes],
        async (session, given: readonly ServerRef[] = [], options: StopOptions) => {
          const { hub } = session
          const servers = options.all === true ? await listActive(session) : given.map(nameOf)
          if (given.length === 0 && options.all !== true)
            session.usage('name a server, or use --all')
          if (servers.length > 1) await session.confirm(`Stop ${describeMany(servers, 'servers')}?`)
          const stop = async (name: string) => {
            const server = parseServer(name)
            if (!options.wait) return hub.servers.stop(server)
            session.terminal.update(`${printable(name)}: stopping`)
            return say(await hub.servers.stopAndWait(server), 'stopped')
          }
          return eachOutcome(servers, stop, { atOnce })
        },
      ),
    )

  leaf(noun, 'remove', 'Stop named servers and delete them')
    .alias('delete')
    .argument('<server...>', 'USER/SERVER', parseServers)
    .action(
      act(stopScopes, async (session, servers: readonly ServerRef[]) => {
        const names = servers.map(nameOf)
        await session.confirm(`Delete ${describeMany(names, 'servers')} with options and shares?`)
        return eachOutcome(names, async (name) =>
          say(
            await session.hub.servers.stopAndWait(parseServer(name), { remove: true }),
            'deleted',
          ),
        )
      }),
    )
}

async function start(
  session: Session,
  server: ServerRef,
  options: StartOptions,
): Promise<Result<string>> {
  const { hub, terminal } = session
  const { title, option, wait, timeout: timeoutMs = 300_000 } = options
  const body = {
    ...(title !== undefined && { display_name: title }),
    ...((title !== undefined || option !== undefined) && { user_options: option ?? null }),
  }
  if (!wait) return hub.servers.start(server, body)
  const onEvent = (event: ServerEvent) => {
    if (event.kind === 'progress') terminal.update(describe(server, event))
  }
  const started = await hub.servers.startAndWait(server, { body, onEvent, timeoutMs })
  return started.ok ? { ...started, value: `ready at ${started.value.url}` } : started
}

function describe(server: ServerRef, event: ServerEvent & { kind: 'progress' }): string {
  const percent = event.progress === undefined ? '' : ` ${Math.round(event.progress)} %`
  return `${printable(nameOf(server))}:${percent} ${printable(event.message)}`
}

async function listActive({ hub }: Session): Promise<string[]> {
  const servers = await listServers(hub.users.pages({ state: 'active' }), 0)
  return servers.map(({ full_name: name }) => name.replace(/\/$/, ''))
}

async function listServers(pages: ReturnType<Session['hub']['users']['pages']>, limit: number) {
  const servers: Server[] = []
  for await (const page of pages) {
    servers.push(...unwrap(page).items.flatMap(serversOf))
    if (limit > 0 && servers.length >= limit) break
  }
  return servers
}

function serversOf(user: User): Server[] {
  return Object.values(user.servers ?? {})
}

function stateOf({ ready, pending }: Server): string {
  if (ready) return 'ready'
  return pending === null ? 'stopped' : `${pending} pending`
}
