import { once } from 'node:events'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { startBackend } from '../backends.ts'
import type { Bench } from '../bench.ts'
import { type FakeHub, startFakeHub } from '../fake-hub.ts'
import type { LoadResult } from '../load-plan.ts'
import * as proxies from '../proxies.ts'
import { addRoute, token } from '../route-api.ts'
import { type Goal, type Samples, type Table, atMost, cell, pick } from '../table.ts'
import { plan } from './proxy-requests.ts'
import { addRoutes } from './routes.ts'

const routes = 100_000
/** Changes whose way is timed, in each round. */
const changes = 200
const warmUps = 50
/** The kernel spreads them over the workers. */
const connections = 8
const ratePerSecond = 1000
const listings = 5
const added = 20_000
const patienceMs = 30_000

interface ChangesSample {
  readonly p50Ms: number
  readonly p99Ms: number
  /** Requests that another server answered although the change had been acknowledged. */
  readonly late: number
  readonly quiet: LoadResult
  readonly listing: LoadResult
  readonly adding: LoadResult
}

const kinds = [
  { name: proxies.orrery.name, flags: ['--workers', '1'] },
  { name: proxies.orreryOfAllCores.name, flags: [] },
]

/**
 * An edge that follows a hub with many routes: from the hub's line to the edge's word that it is in
 * force, and what requests notice of listings and of changes.
 */
export async function measureRouteChanges(bench: Bench): Promise<Table[]> {
  const samples = new Map<string, ChangesSample[]>()
  for (let round = 0; round < bench.rounds; round += 1) {
    for (const { name, flags } of kinds) {
      samples.set(name, [...(samples.get(name) ?? []), await measure(bench, flags)])
    }
  }
  return [table(samples)]
}

async function measure(bench: Bench, flags: readonly string[]): Promise<ChangesSample> {
  const backend = await startBackend()
  const hub = await startFakeHub(backend.url, routes)
  try {
    const peer = await proxies.startFollowingEdge(hub.url, flags)
    try {
      await addRoute(peer, '/user/ada', backend.url)
      await untilFound(peer.port, `/user/hub-${routes - 1}/`)
      // Requests that come before a change are answered at once, by another server.
      await addRoute(peer, '/', backend.url)
      const run = (): Promise<LoadResult> => bench.client.run(plan(bench, peer, ratePerSecond))
      const quiet = await run()
      const { timesMs, late } = await timeChanges(peer.port, hub)
      const [listing] = await Promise.all([run(), listSeveral(peer)])
      const range = { from: 0, to: added }
      const [adding] = await Promise.all([run(), addRoutes(peer, backend, range)])
      return { ...percentiles(timesMs), late, quiet, listing, adding }
    } finally {
      await peer.stop()
    }
  } finally {
    await hub.stop()
    await backend.stop()
  }
}

/**
 * From the moment at which the hub writes a line to the edge's word that it is in force, which every
 * connection's next request has to bear out.
 */
async function timeChanges(
  port: number,
  hub: FakeHub,
): Promise<{ readonly timesMs: number[]; readonly late: number }> {
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(port)))
  const timesMs: number[] = []
  let late = 0
  for (let i = 0; i < warmUps + changes; i += 1) {
    const beganAt = performance.now()
    await hub.set(`/live/${i}/`)
    if (i >= warmUps) timesMs.push(performance.now() - beganAt)
    const answers = await Promise.all(sockets.map((socket) => answerOf(socket, `/live/${i}/x`)))
    late += answers.filter((text) => !text.startsWith('HTTP/1.1 204')).length
  }
  for (const socket of sockets) socket.destroy()
  return { timesMs, late }
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').setNoDelay(true).setEncoding('latin1')
  await once(socket, 'connect')
  return socket
}

async function answerOf(socket: Socket, path: string): Promise<string> {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: hub.example.org\r\n\r\n`)
  const [text] = (await once(socket, 'data')) as [string]
  return text
}

async function untilAnswered(socket: Socket, path: string, status: number): Promise<void> {
  const giveUpAt = performance.now() + patienceMs
  while (performance.now() < giveUpAt) {
    if ((await answerOf(socket, path)).startsWith(`HTTP/1.1 ${status}`)) return
  }
  throw new Error(`a route of the hub was not in force after ${patienceMs} ms`)
}

async function untilFound(port: number, path: string): Promise<void> {
  const socket = await open(port)
  await untilAnswered(socket, path, 200)
  socket.destroy()
}

async function listSeveral(peer: proxies.ProxyPeer): Promise<void> {
  for (let i = 0; i < listings; i += 1) {
    const headers = { Authorization: `token ${token}` }
    const at = { host: '127.0.0.1', port: peer.apiPort, path: '/api/routes', headers }
    await new Promise<void>((resolve, reject) => {
      request(at, (answer) => void answer.resume().once('end', resolve).once('error', reject))
        .once('error', reject)
        .end()
    })
  }
}

function percentiles(timesMs: readonly number[]): { p50Ms: number; p99Ms: number } {
  const sorted = timesMs.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN
  return { p50Ms: at(0.5), p99Ms: at(0.99) }
}

function table(samples: Samples<ChangesSample>): Table {
  const columns: [title: string, of: (sample: ChangesSample) => number][] = [
    ['in force p50 ms', (one) => one.p50Ms],
    ['in force p99 ms', (one) => one.p99Ms],
    ['not in force', (one) => one.late],
    ['quiet: p99 ms', (one) => one.quiet.p99Ms],
    ['listing: p99 ms', (one) => one.listing.p99Ms],
    ['longest', (one) => one.listing.maxMs],
    ['adding: p99 ms', (one) => one.adding.p99Ms],
    ['longest', (one) => one.adding.maxMs],
  ]
  return {
    title:
      `P13 with ${routes} routes of a hub: from its line to its acknowledgement, ${changes} times, with a request on each of ${connections} connections after it;` +
      ` other requests at ${ratePerSecond}/s by themselves, during listings and while ${added} routes are added`,
    columns: ['proxy', ...columns.map(([title]) => title)],
    rows: [...samples.keys()].map((name) => ({
      name,
      cells: columns.map(([, of]) => cell(pick(samples, name, of), 2)),
    })),
    goals: goals(samples),
  }
}

function goals(samples: Samples<ChangesSample>): Goal[] {
  return [...samples.keys()].flatMap((name) => [
    ...atMost(
      `${name}: a change of the hub is in force within 1 ms (p50)`,
      pick(samples, name, (one) => one.p50Ms),
      { most: 1, digits: 2 },
    ),
    ...atMost(
      `${name}: in force when acknowledged: late`,
      pick(samples, name, (one) => one.late),
      { most: 0, digits: 0 },
    ),
  ])
}
