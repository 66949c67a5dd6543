import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { bodyBytes, startBackend } from '../backends.ts'
import { type Bench, interleaved, withPeers } from '../bench.ts'
import type { LoadPlan, LoadResult } from '../load-plan.ts'
import { findProgram, placing } from '../processes.ts'
import * as proxies from '../proxies.ts'
import { type Samples, type Table, atLeast, atMost, cellsOf, pick, ratios } from '../table.ts'

const path = '/user/ada/api/contents'
const connections = 64
const lowRate = 2000
/** Of what nginx takes, or else the one that takes most. */
const shareOfCapacity = 0.3

const run = promisify(execFile)
const wrk = findProgram('wrk')

/** Headers as a browser sends them to a server: what a proxy reads and passes on. */
const headers = {
  Host: 'hub.example.org',
  'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  Accept: 'application/json',
  'Accept-Language': 'en-US,en;q=0.5',
  'Accept-Encoding': 'gzip, deflate, br',
  Cookie: `_xsrf=2|5a0d1d51|${'0'.repeat(32)}|1764057600; jupyterhub-user-ada=${'a'.repeat(60)}`,
}

export interface RequestSample {
  readonly requestsPerCpuSecond: number
  readonly failed: number
  readonly memoryBytes: number
  readonly low: LoadResult
  readonly high: LoadResult
}

export async function measureRequests(bench: Bench): Promise<Table[]> {
  return withPeers(proxies.kinds, startBackend, async (peers, backend) => {
    const capacities = new Map<string, number>()
    for (const peer of peers) {
      // It warms the compilers up as well.
      const { perSecond } = await throughput(bench, peer)
      if (peer.name !== proxies.noProxy.name) capacities.set(peer.name, perSecond)
    }
    const capacity = capacities.get(proxies.nginx.name) ?? Math.max(...capacities.values())
    const highRate = Math.round((capacity * shareOfCapacity) / 500) * 500
    const samples = await interleaved(peers, bench.rounds, async (peer) => {
      const closed = await throughput(bench, peer)
      const low = await bench.client.run(plan(bench, peer, lowRate))
      const high = await bench.client.run(plan(bench, peer, highRate))
      const failed = closed.failed + low.failed + high.failed
      return { ...closed, low, high, failed, memoryBytes: peer.memoryBytes() }
    })
    return [table(samples, { backend: backend.name, highRate })]
  })
}

function table(
  samples: Samples<RequestSample>,
  { backend, highRate }: { readonly backend: string; readonly highRate: number },
): Table {
  const rates = [lowRate, highRate].map((rate) => `${rate}/s`)
  return {
    title:
      `P9 HTTP through the proxy, keep-alive, 1 kB answers of ${backend}, ${connections} connections; ` +
      `requests per CPU-second by ${wrk === undefined ? 'the client of the bench' : 'wrk'}`,
    columns: [
      'proxy',
      'requests per CPU-second',
      'CPU µs each',
      ...rates.flatMap((rate) => [`p50 ms at ${rate}`, `p99 ms at ${rate}`]),
      'memory MB',
      'failed',
    ],
    rows: [...samples.keys()].map((name) => ({
      name,
      cells: [
        ...cellsOf(samples, name, [
          [(one) => one.requestsPerCpuSecond, 0],
          [(one) => 1e6 / one.requestsPerCpuSecond, 1],
          [(one) => one.low.p50Ms, 2],
          [(one) => one.low.p99Ms, 2],
          [(one) => one.high.p50Ms, 2],
          [(one) => one.high.p99Ms, 2],
          [(one) => one.memoryBytes / 2 ** 20, 0],
        ]),
        String(pick(samples, name, (one) => one.failed).reduce((sum, count) => sum + count, 0)),
      ],
    })),
    goals: goals(samples, rates),
  }
}

function goals(samples: Samples<RequestSample>, [low, high]: readonly string[]): Table['goals'] {
  const ours = proxies.orrery.name
  const perCpu = (one: RequestSample): number => one.requestsPerCpuSecond
  const toNginx = [ours, proxies.nginx.name] as const
  return [
    ...atLeast('36,000 requests per CPU-second', pick(samples, ours, perCpu), {
      least: 36_000,
      digits: 0,
    }),
    ...atLeast(
      '10 times configurable-http-proxy',
      ratios(samples, [ours, proxies.chp.name], perCpu),
      { least: 10, digits: 1 },
    ),
    ...atLeast('0.75 of nginx', ratios(samples, toNginx, perCpu), { least: 0.75, digits: 2 }),
    ...atMost(
      `p99 at ${low} within 1.5 of nginx`,
      ratios(samples, toNginx, (one) => one.low.p99Ms),
      { most: 1.5, digits: 2 },
    ),
    ...atMost(
      `p99 at ${high} within 1.5 of nginx`,
      ratios(samples, toNginx, (one) => one.high.p99Ms),
      { most: 1.5, digits: 2 },
    ),
  ]
}

/** One request after the other on each connection, at a constant rate or as many as go through. */
export function plan(bench: Bench, peer: proxies.ProxyPeer, ratePerSecond?: number): LoadPlan {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return {
    port: peer.port,
    request: `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`,
    answerBytes: bodyBytes,
    connections,
    durationMs: bench.seconds * 1000,
    ...(ratePerSecond !== undefined && { ratePerSecond }),
  }
}

/** As many requests as the proxy takes: by wrk, which costs the machine less than we do. */
export async function throughput(
  bench: Bench,
  peer: proxies.ProxyPeer,
): Promise<{ requestsPerCpuSecond: number; perSecond: number; failed: number }> {
  const before = peer.cpuSeconds()
  const { completed, failed, seconds } =
    wrk === undefined
      ? await bench.client.run(plan(bench, peer))
      : await loadByWrk(wrk, peer.port, bench.seconds)
  const used = peer.cpuSeconds() - before
  return { requestsPerCpuSecond: completed / used, perSecond: completed / seconds, failed }
}

async function loadByWrk(program: string, port: number, seconds: number) {
  const args = [
    '-t1',
    `-c${connections}`,
    `-d${Math.ceil(seconds)}`,
    ...Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
    `http://127.0.0.1:${port}${path}`,
  ]
  const [command = program, ...rest] = [...placing('client'), program, ...args]
  const { stdout } = await run(command, rest, { timeout: 60_000 })
  const completed = Number(/(\d+) requests in/.exec(stdout)?.[1] ?? 0)
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1] ?? 0)
  const broken = /connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout) ?? []
  const failed = broken.slice(1).reduce((sum, count) => sum + Number(count), refused)
  return { completed: completed - refused, failed, seconds: Math.ceil(seconds) }
}
