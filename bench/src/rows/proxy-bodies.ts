import { startStreamBackend } from '../backends.ts'
import { type Bench, interleaved, withPeers } from '../bench.ts'
import type { LoadPlan, LoadResult } from '../load-plan.ts'
import * as proxies from '../proxies.ts'
import { type Goal, type Samples, type Table, atMost, cellsOf, pick, ratios } from '../table.ts'

const path = '/user/ada/body'
const ways = ['down', 'up'] as const
const sizes = [1, 100]
/** So many of 1 MB begin each second where latency is measured. */
const ratePerSecond = 40
const megabyte = 2 ** 20
/** Growth of resident memory, over all rounds of a size, that counts as flat. */
const flatMegabytes = 16
const kinds = [
  proxies.orrery,
  proxies.chp,
  proxies.nginx,
  proxies.haproxy,
  proxies.pipe,
  proxies.noProxy,
]

interface BodySample {
  /** Milliseconds of CPU time for each megabyte. */
  readonly cpuMsPerMegabyte: number
  readonly closed: LoadResult
  readonly open: LoadResult | undefined
  /** Since the first round began. */
  readonly grownBytes: number
  readonly memoryBytes: number
}

export async function measureBodies(bench: Bench): Promise<Table[]> {
  return withPeers(kinds, startStreamBackend, async (peers) => {
    const rows: Table['rows'][number][] = []
    const goals: Goal[] = []
    for (const megabytes of sizes) {
      for (const way of ways) {
        const samples = await measure(bench, peers, { megabytes, way })
        rows.push(...rowsOf(samples, `${megabytes} MB ${way}`))
        goals.push(...goalsOf(samples, `${megabytes} MB ${way}`))
      }
    }
    const title =
      'P10 bodies of 1 MB and 100 MB, down and up, four at a time; times of a body: ' +
      `1 MB at ${ratePerSecond}/s, 100 MB as the CPU time is measured`
    const columns = [
      'proxy',
      'body',
      'CPU ms a megabyte',
      'p50 ms',
      'p99 ms',
      'memory MB',
      'growth MB',
      'failed',
    ]
    return [{ title, columns, rows, goals }]
  })
}

async function measure(
  bench: Bench,
  peers: readonly proxies.ProxyPeer[],
  body: { readonly megabytes: number; readonly way: (typeof ways)[number] },
): Promise<Samples<BodySample>> {
  const isSmall = body.megabytes === sizes[0]
  const durationMs = isSmall ? bench.seconds * 500 : bench.seconds * 750
  for (const peer of peers) await bench.client.run({ ...plan(peer, body), durationMs: 300 })
  const memoryAtStart = new Map(peers.map((peer) => [peer.name, peer.memoryBytes()]))
  return interleaved(peers, bench.rounds, async (peer) => {
    const cpuBefore = peer.cpuSeconds()
    const closed = await bench.client.run({ ...plan(peer, body), durationMs })
    const cpuMs = (peer.cpuSeconds() - cpuBefore) * 1000
    const open = isSmall
      ? await bench.client.run({
          ...plan(peer, body),
          durationMs: bench.seconds * 1000,
          ratePerSecond,
        })
      : undefined
    const memoryBytes = peer.memoryBytes()
    return {
      cpuMsPerMegabyte: cpuMs / (closed.completed * body.megabytes),
      closed,
      open,
      memoryBytes,
      grownBytes: memoryBytes - (memoryAtStart.get(peer.name) ?? Number.NaN),
    }
  })
}

function plan(
  peer: proxies.ProxyPeer,
  { megabytes, way }: { readonly megabytes: number; readonly way: (typeof ways)[number] },
): Omit<LoadPlan, 'durationMs'> {
  const bytes = megabytes * megabyte
  const common = { port: peer.port, connections: 4 }
  if (way === 'down') {
    const request = `GET ${path}?${megabytes} HTTP/1.1\r\nHost: x\r\n\r\n`
    return { ...common, request, answerBytes: bytes }
  }
  const request = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n`
  return { ...common, request, fillBytes: bytes, answerBytes: 'taken'.length }
}

function rowsOf(samples: Samples<BodySample>, body: string): Table['rows'] {
  return [...samples.keys()].map((name) => ({
    name,
    cells: [
      body,
      ...cellsOf(samples, name, [
        [(one) => one.cpuMsPerMegabyte, 3],
        [(one) => (one.open ?? one.closed).p50Ms, 2],
        [(one) => (one.open ?? one.closed).p99Ms, 2],
        [(one) => one.memoryBytes / megabyte, 0],
        [(one) => one.grownBytes / megabyte, 1],
      ]),
      String(
        pick(samples, name, (one) => one.closed.failed + (one.open?.failed ?? 0)).reduce(
          (sum, count) => sum + count,
          0,
        ),
      ),
    ],
  }))
}

function goalsOf(samples: Samples<BodySample>, body: string): Goal[] {
  const ours = proxies.orrery.name
  const cpu = ratios(samples, [ours, proxies.nginx.name], (one) => one.cpuMsPerMegabyte)
  const grown = pick(samples, ours, (one) => one.grownBytes / megabyte)
  return [
    ...atMost(`${body}: within 1.2 of nginx's CPU time`, cpu, { most: 1.2, digits: 2 }),
    ...atMost(`${body}: flat memory, ${flatMegabytes} MB`, grown, {
      most: flatMegabytes,
      digits: 1,
    }),
  ]
}
