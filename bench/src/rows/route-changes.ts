import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { startBackend } from '../backends.ts'
import type { Bench } from '../bench.ts'
import { type FakeHub, startFakeHub } from '../fake-hub.ts'
import * as proxies from '../proxies.ts'
import { addRoute } from '../route-api.ts'
import { type Goal, type Samples, type Table, atMost, cell, pick } from '../table.ts'

export const routes = 100_000
/** Changes whose way is timed, in each round. */
const changes = 200
const warmUps = 50
/** The kernel spreads them over the workers. */
const connections = 8
const patienceMs = 30_000

interface ChangesSample {
  readonly p50Ms: number
  readonly p99Ms: number
  /** Requests that another server answered although the change had been acknowledged. */
  readonly late: number
}

export const kinds = [
  { name: proxies.orrery.name, flags: ['--workers', '1'] },
  { name: proxies.orreryOfAllCores.name, flags: [] },
]

/**
 * An edge that follows a hub with many routes: from the hub's line to the edge's word that it is in
 * force.
 */
export async function measureRouteChanges(bench: Bench): Promise<Table[]> {
  const samples = new Map<string, ChangesSample[]>()
  for (let round = 0; round < bench.rounds; round += 1) {
    for (const { name, flags } of kinds) {
      samples.set(name, [...(samples.get(name) ?? []), await measure(flags)])
    }
  }
  return [table(samples)]
}

async function measure(flags: readonly string[]): Promise<ChangesSample> {
  const backend = await startBackend()
  const hub = await startFakeHub(backend.url, routes)
  try {
    const peer = await proxies.startFollowingEdge(hub.url, flags)
    try {
      await addRoute(peer, '/user/ada', backend.url)
      await untilFound(peer.port, `/user/hub-${routes - 1}/`)
      // Requests that come before a change are answered at once, by another server.
      await addRoute(peer, '/', backend.url)
      const { timesMs, late } = await timeChanges(peer.port, hub)
      return { ...percentiles(timesMs), late }
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

export async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').setNoDelay(true).setEncoding('latin1')
  await once(socket, 'connect')
  return socket
}

export async function answerOf(socket: Socket, path: string): Promise<string> {
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

export async function untilFound(port: number, path: string): Promise<void> {
  const socket = await open(port)
  await untilAnswered(socket, path, 200)
  socket.destroy()
}

export function percentiles(timesMs: readonly number[]): { p50Ms: number; p99Ms: number } {
  const sorted = timesMs.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN
  return { p50Ms: at(0.5), p99Ms: at(0.99) }
}

function table(samples: Samples<ChangesSample>): Table {
  const columns: [title: string, of: (sample: ChangesSample) => number][] = [
    ['in force p50 ms', (one) => one.p50Ms],
    ['in force p99 ms', (one) => one.p99Ms],
    ['not in force', (one) => one.late],
  ]
  return {
    title: `P13 with ${routes} routes of a hub: from its line to its acknowledgement, ${changes} times, with a request on each of ${connections} connections after it`,
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
