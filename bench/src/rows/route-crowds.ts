import { request } from 'node:http'
import { type Backend, startBackend } from '../backends.ts'
import type { Bench } from '../bench.ts'
import { type FakeHub, startFakeHub } from '../fake-hub.ts'
import type { LoadResult } from '../load-plan.ts'
import * as proxies from '../proxies.ts'
import { addRoute, token } from '../route-api.ts'
import { type Goal, type Samples, type Table, atMost, cell, pick } from '../table.ts'
import { plan } from './proxy-requests.ts'
import { kinds, routes, untilFound } from './route-changes.ts'
import { addRoutes } from './routes.ts'

const ratePerSecond = 1000
/** For a 99.9th percentile that is not the one slowest request. */
const leastSeconds = 2
/** At once; again and again while requests are measured. */
const added = 20_000
const goalMs = 5

/** What is done with many routes at once, and what requests take meanwhile. */
const crowds = ['quiet', 'listing all', 'adding 20,000', 'whole table from the hub'] as const
type Crowd = (typeof crowds)[number]
interface Loads {
  /** Through the edge. */
  readonly proxied: LoadResult
  /** Past it: what the machine and the clients take by themselves while the edge is as busy. */
  readonly direct: LoadResult
}
type CrowdsSample = Readonly<Record<Crowd, Loads>>

interface Scene {
  readonly peer: proxies.ProxyPeer
  readonly backend: Backend
  readonly hub: FakeHub
  next: number
}

/** What requests notice while a large table is listed, grows, or is sent anew by the hub. */
export async function measureRouteCrowds(bench: Bench): Promise<Table[]> {
  const samples = new Map<string, CrowdsSample[]>()
  for (let round = 0; round < bench.rounds; round += 1) {
    for (const { name, flags } of kinds) {
      samples.set(name, [...(samples.get(name) ?? []), await measure(bench, flags)])
    }
  }
  return [table(samples)]
}

async function measure(bench: Bench, flags: readonly string[]): Promise<CrowdsSample> {
  const backend = await startBackend()
  const hub = await startFakeHub(backend.url, routes)
  try {
    const peer = await proxies.startFollowingEdge(hub.url, flags)
    try {
      await addRoute(peer, '/user/ada', backend.url)
      await untilFound(peer.port, `/user/hub-${routes - 1}/`)
      const scene: Scene = { peer, backend, hub, next: 0 }
      const taken: Partial<Record<Crowd, Loads>> = {}
      for (const crowd of crowds) taken[crowd] = await load(bench, scene, crowd)
      return taken as CrowdsSample // each was set
    } finally {
      await peer.stop()
    }
  } finally {
    await hub.stop()
    await backend.stop()
  }
}

async function load(bench: Bench, scene: Scene, crowd: Crowd): Promise<Loads> {
  const direct = { ...scene.peer, port: Number(new URL(scene.backend.url).port) }
  return {
    proxied: await loadDuring(bench, scene.peer, () => act(scene, crowd)),
    direct: await loadDuring(bench, direct, () => act(scene, crowd)),
  }
}

/** @param once - done again and again until the requests are over. */
async function loadDuring(
  bench: Bench,
  peer: proxies.ProxyPeer,
  once: () => Promise<void>,
): Promise<LoadResult> {
  const durationMs = Math.max(bench.seconds, leastSeconds) * 1000
  let isOver = false
  const acting = (async () => {
    while (!isOver) await once()
  })()
  try {
    return await bench.client.run({ ...plan(bench, peer, ratePerSecond), durationMs })
  } finally {
    isOver = true
    await acting
  }
}

async function act(scene: Scene, crowd: Crowd): Promise<void> {
  const { peer, backend, hub } = scene
  switch (crowd) {
    case 'quiet':
      return void (await new Promise((resolve) => setTimeout(resolve, 10)))
    case 'listing all':
      return listAll(peer)
    case 'adding 20,000': {
      const from = scene.next
      scene.next += added
      return void (await addRoutes(peer, backend, { from, to: scene.next }))
    }
    case 'whole table from the hub':
      return hub.resend()
  }
}

function listAll(peer: proxies.ProxyPeer): Promise<void> {
  const headers = { Authorization: `token ${token}` }
  const at = { host: '127.0.0.1', port: peer.apiPort, path: '/api/routes', headers }
  return new Promise<void>((resolve, reject) => {
    request(at, (answer) => void answer.resume().once('end', resolve).once('error', reject))
      .once('error', reject)
      .end()
  })
}

function table(samples: Samples<CrowdsSample>): Table {
  const figures: [title: string, of: (loads: Loads) => number][] = [
    ['p50 ms', ({ proxied }) => proxied.p50Ms],
    ['p99 ms', ({ proxied }) => proxied.p99Ms],
    ['p99.9 ms', ({ proxied }) => proxied.p999Ms],
    ['longest', ({ proxied }) => proxied.maxMs],
    ['past the edge: p99.9 ms', ({ direct }) => direct.p999Ms],
    ['longest', ({ direct }) => direct.maxMs],
    ['failed', ({ proxied }) => proxied.failed],
  ]
  return {
    title:
      `P13 with ${routes} routes of a hub: requests at ${ratePerSecond}/s while the table is listed, grows or is sent anew, again and again;` +
      ' past the edge: requests straight to the target meanwhile, which are what the machine allows',
    columns: ['proxy', 'meanwhile', ...figures.map(([title]) => title)],
    rows: crowds.flatMap((crowd) =>
      [...samples.keys()].map((name) => ({
        name,
        cells: [
          crowd,
          ...figures.map(([, of]) =>
            cell(
              pick(samples, name, (one) => of(one[crowd])),
              2,
            ),
          ),
        ],
      })),
    ),
    goals: goals(samples),
  }
}

function goals(samples: Samples<CrowdsSample>): Goal[] {
  return [...samples.keys()].flatMap((name) =>
    crowds
      .filter((crowd) => crowd !== 'quiet')
      .flatMap((crowd) =>
        atMost(
          `${name}, ${crowd}: requests within ${goalMs} ms (p99.9)`,
          pick(samples, name, (one) => one[crowd].proxied.p999Ms),
          { most: goalMs, digits: 2 },
        ),
      ),
  )
}
