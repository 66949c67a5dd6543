import { type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findPostgresBin, startPostgres } from '../../../packages/hub/test/support/postgres.ts'
import { type Backend, startBackend } from '../backends.ts'
import type { Bench } from '../bench.ts'
import { endProgram, startProgram } from '../processes.ts'
import * as proxies from '../proxies.ts'
import { addRoute, token } from '../route-api.ts'
import { type Goal, type Samples, type Table, atMost, cell, pick } from '../table.ts'
import { answerOf, open, percentiles, untilFound } from './route-changes.ts'

const counts = [1, 100_000] as const
const warmUps = 50
const changes = 200
/** A request after another, until one is routed. */
const patienceMs = 5_000

interface Sample {
  /** From the commit's return to the sending of the first request that was routed. */
  readonly p50Ms: number
  readonly p99Ms: number
  /** To its answer. */
  readonly answerP50Ms: number
  readonly answerP99Ms: number
}

interface Database {
  readonly name: string
  /** Of an empty one. */
  create(): Promise<{ readonly url: string; readonly folder: string }>
  stop(): Promise<void>
}

/**
 * The whole way of a change: from where the hub's transaction is committed, through its
 * announcement, its query, its line and the edge's table, to the first request that is routed.
 */
export async function measureCommitToRequest(bench: Bench): Promise<Table[]> {
  const samples = new Map<string, Sample[]>()
  const databases = [sqlite(), ...(await postgres(bench))]
  try {
    for (let round = 0; round < bench.rounds; round += 1) {
      for (const database of databases) {
        for (const count of counts) {
          const name = `${database.name}, ${count} routes`
          samples.set(name, [...(samples.get(name) ?? []), await measure(database, count)])
        }
      }
    }
  } finally {
    for (const database of databases) await database.stop()
  }
  return [table(samples)]
}

function sqlite(): Database {
  return {
    name: 'SQLite',
    async create() {
      const folder = await mkdtemp(join(tmpdir(), 'orrery-bench-'))
      return { url: `sqlite:///${join(folder, 'orrery.sqlite')}`, folder }
    },
    stop: () => Promise.resolve(),
  }
}

async function postgres(bench: Bench): Promise<Database[]> {
  const bin = findPostgresBin()
  if (bin === undefined) {
    bench.note('No PostgreSQL server programs on this machine: SQLite alone.')
    return []
  }
  const { Client } = await import('pg')
  const server = await startPostgres(bin)
  let made = 0
  return [
    {
      name: 'PostgreSQL',
      async create() {
        const folder = await mkdtemp(join(tmpdir(), 'orrery-bench-'))
        const client = new Client({ connectionString: server.url })
        await client.connect()
        made += 1
        await client.query(`create database bench_${made}`)
        await client.end()
        return { url: server.url.replace(/[^/]+$/, `bench_${made}`), folder }
      },
      stop: () => server.stop(),
    },
  ]
}

async function measure(database: Database, count: number): Promise<Sample> {
  const backend = await startBackend()
  const { url, folder } = await database.create()
  const hub = startProgram(
    process.execPath,
    [fileURLToPath(new URL('../programs/route-hub.ts', import.meta.url))],
    {
      place: 'client',
      hasChannel: true,
      env: {
        ROUTE_HUB_DB: url,
        ROUTE_HUB_TARGET: backend.url,
        ROUTE_HUB_TOKEN: token,
        ROUTE_HUB_ROUTES: String(count),
      },
    },
  )
  try {
    const { port } = await said<{ readonly port: number }>(hub)
    return await measureEdge(hub, { backend, count, hubUrl: `http://127.0.0.1:${port}/hub/` })
  } finally {
    await endProgram(hub, folder)
    await backend.stop()
  }
}

async function measureEdge(
  hub: ChildProcess,
  at: { readonly backend: Backend; readonly count: number; readonly hubUrl: string },
): Promise<Sample> {
  const peer = await proxies.startFollowingEdge(at.hubUrl)
  // Of those that are added: answers with 204, as nobody else does.
  const target = createServer((_req, res) => res.writeHead(204).end()).listen(0, '127.0.0.1')
  try {
    await once(target, 'listening')
    await untilFound(peer.port, `/user/hub-${at.count - 1}/`)
    await addRoute(peer, '/', at.backend.url)
    const targetUrl = `http://127.0.0.1:${(target.address() as AddressInfo).port}`
    const socket = await open(peer.port)
    const taken: Taken[] = []
    for (let i = 0; i < warmUps + changes; i += 1) {
      const one = await timeChange(hub, socket, { routespec: `/live/${i}/`, target: targetUrl })
      if (i >= warmUps) taken.push(one)
    }
    socket.destroy()
    const sent = percentiles(taken.map(({ sentMs }) => sentMs))
    const answered = percentiles(taken.map(({ answeredMs }) => answeredMs))
    return { ...sent, answerP50Ms: answered.p50Ms, answerP99Ms: answered.p99Ms }
  } finally {
    await peer.stop()
    target.close()
    target.closeAllConnections()
  }
}

interface Taken {
  readonly sentMs: number
  readonly answeredMs: number
}

async function timeChange(
  hub: ChildProcess,
  socket: Socket,
  route: { readonly routespec: string; readonly target: string },
): Promise<Taken> {
  const committed = said<{ readonly committedAtMs: number }>(hub)
  hub.send(route)
  const giveUpAt = now() + patienceMs
  for (;;) {
    const sentAt = now()
    const text = await answerOf(socket, `${route.routespec}x`)
    const answeredAt = now()
    if (text.startsWith('HTTP/1.1 204')) {
      const { committedAtMs } = await committed
      await said(hub) // the edge has acknowledged it
      return {
        sentMs: Math.max(0, sentAt - committedAtMs),
        answeredMs: answeredAt - committedAtMs,
      }
    }
    if (answeredAt > giveUpAt) throw new Error(`not routed after ${patienceMs} ms`)
  }
}

const now = (): number => Number(process.hrtime.bigint()) / 1e6

async function said<T>(hub: ChildProcess): Promise<T> {
  const ended = new AbortController()
  try {
    const [message] = (await Promise.race([
      once(hub, 'message', { signal: ended.signal }),
      once(hub, 'exit', { signal: ended.signal }).then(() => {
        throw new Error('the hub of the bench has ended')
      }),
    ])) as [T]
    return message
  } finally {
    ended.abort()
  }
}

function table(samples: Samples<Sample>): Table {
  const columns: [title: string, of: (sample: Sample) => number][] = [
    ['first routed request sent: p50 ms', (one) => one.p50Ms],
    ['p99 ms', (one) => one.p99Ms],
    ['answered: p50 ms', (one) => one.answerP50Ms],
    ['p99 ms', (one) => one.answerP99Ms],
  ]
  return {
    title:
      `P13 from the return of the hub's commit to the first request that is routed, ${changes} times,` +
      ' a request after the other over one connection, default workers',
    columns: ['store', ...columns.map(([title]) => title)],
    rows: [...samples.keys()].map((name) => ({
      name,
      cells: columns.map(([, of]) => cell(pick(samples, name, of), 2)),
    })),
    goals: goals(samples),
  }
}

function goals(samples: Samples<Sample>): Goal[] {
  return [...samples.keys()].flatMap((name) =>
    atMost(
      `${name}: requests are routed within 1 ms of the commit (p50)`,
      pick(samples, name, (one) => one.p50Ms),
      { most: 1, digits: 2 },
    ),
  )
}
