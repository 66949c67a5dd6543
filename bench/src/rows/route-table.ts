import { startBackend } from '../backends.ts'
import { type Bench, withPeers } from '../bench.ts'
import type { LoadResult } from '../load-plan.ts'
import * as proxies from '../proxies.ts'
import { addRoute, deleteRoute } from '../route-api.ts'
import { type Goal, type Samples, type Table, atLeast, atMost, cellsOf, pick } from '../table.ts'
import { plan, throughput } from './proxy-requests.ts'
import { addRoutes, parallel } from './routes.ts'

const counts = [1, 10_000, 100_000] as const
const ratePerSecond = 2000
/** Routes that are added one by one, each followed by a request at once. */
const singles = 50
const kinds = [proxies.orrery, proxies.orreryOfAllCores, proxies.chp]

interface StepSample {
  readonly addsPerCpuSecond: number
  readonly bytesPerRoute: number
  readonly requestsPerCpuSecond: number
  readonly latency: LoadResult
  readonly changes: ChangeSample
  readonly failed: number
}

interface ChangeSample {
  /** From the request to its answer. */
  readonly p50Ms: number
  readonly p99Ms: number
  /** Requests after the answer that did not find the route. */
  readonly late: number
}

/** Of fresh processes each round: a table that was larger before costs no more memory. */
export async function measureRoutes(bench: Bench): Promise<Table[]> {
  const steps = counts.map((count) => ({ count, samples: new Map<string, StepSample[]>() }))
  for (let round = 0; round < bench.rounds; round += 1) {
    await withPeers(kinds, startBackend, async (peers, backend) => {
      for (const peer of peers) await throughput(bench, peer)
      let from = 1
      for (const { count, samples } of steps) {
        for (const peer of peers) {
          const added =
            count > from ? await addRoutes(peer, backend, { from, to: count }) : undefined
          const { requestsPerCpuSecond, failed } = await throughput(bench, peer)
          const latency = await bench.client.run(plan(bench, peer, ratePerSecond))
          const sample: StepSample = {
            addsPerCpuSecond: added?.addsPerCpuSecond ?? Number.NaN,
            bytesPerRoute: added?.bytesPerRoute ?? Number.NaN,
            requestsPerCpuSecond,
            latency,
            changes: await changeOneByOne(peer, backend.url),
            failed: failed + latency.failed,
          }
          samples.set(peer.name, [...(samples.get(peer.name) ?? []), sample])
        }
        from = count
      }
    })
  }
  return [table(steps)]
}

type Steps = readonly { readonly count: number; readonly samples: Samples<StepSample> }[]

function table(steps: Steps): Table {
  return {
    title:
      `P13 routes added by the REST API, ${parallel} at a time, and requests with that many; ` +
      `changes: ${singles} by themselves, each followed by a request`,
    columns: [
      'proxy',
      'routes',
      'adds per CPU-second',
      'bytes each',
      'requests per CPU-second',
      `p50 ms at ${ratePerSecond}/s`,
      `p99 ms at ${ratePerSecond}/s`,
      'change p50 ms',
      'change p99 ms',
      'not in force when answered',
      'failed',
    ],
    rows: steps.flatMap(({ count, samples }) =>
      [...samples.keys()].map((name) => ({
        name,
        cells: [
          String(count),
          ...cellsOf(samples, name, [
            [(one) => one.addsPerCpuSecond, 0],
            [(one) => one.bytesPerRoute, 0],
            [(one) => one.requestsPerCpuSecond, 0],
            [(one) => one.latency.p50Ms, 2],
            [(one) => one.latency.p99Ms, 2],
            [(one) => one.changes.p50Ms, 2],
            [(one) => one.changes.p99Ms, 2],
          ]),
          sumOf(pick(samples, name, (one) => one.changes.late)),
          sumOf(pick(samples, name, (one) => one.failed)),
        ],
      })),
    ),
    goals: goals(steps),
  }
}

const sumOf = (values: readonly number[]): string =>
  String(values.reduce((sum, value) => sum + value, 0))

function goals(steps: Steps): Goal[] {
  const ours = proxies.orrery.name
  const few = steps[0]?.samples ?? new Map<string, StepSample[]>()
  const many = steps.at(-1)?.samples ?? new Map<string, StepSample[]>()
  const requests = (samples: Samples<StepSample>) =>
    pick(samples, ours, (one) => one.requestsPerCpuSecond)
  const kept = requests(many).map((value, round) => value / (requests(few)[round] ?? Number.NaN))
  const late = steps.flatMap(({ samples }) => pick(samples, ours, (one) => one.changes.late))
  const changeMs = steps.flatMap(({ samples }) => pick(samples, ours, (one) => one.changes.p50Ms))
  return [
    ...steps.slice(1).flatMap(({ count, samples }) => [
      ...atLeast(
        `${count} routes: 20,000 adds per CPU-second`,
        pick(samples, ours, (one) => one.addsPerCpuSecond),
        { least: 20_000, digits: 0 },
      ),
      ...atMost(
        `${count} routes: 0.6 kB each`,
        pick(samples, ours, (one) => one.bytesPerRoute),
        { most: 600, digits: 0 },
      ),
    ]),
    ...atLeast('throughput kept from 1 to 100,000 routes: 0.95', kept, { least: 0.95, digits: 2 }),
    ...atMost('in force when answered: late', late, { most: 0, digits: 0 }),
    ...atMost('a change is answered within 1 ms (p50)', changeMs, { most: 1, digits: 2 }),
  ]
}

/** Adds routes one after the other and asks for each as soon as it is answered for. */
async function changeOneByOne(peer: proxies.ProxyPeer, target: string): Promise<ChangeSample> {
  const timesMs: number[] = []
  let late = 0
  for (let i = 0; i < singles; i += 1) {
    const beganAt = performance.now()
    await addRoute(peer, `/single/${i}`, target)
    timesMs.push(performance.now() - beganAt)
    const answer = await fetch(`http://127.0.0.1:${peer.port}/single/${i}/x`)
    await answer.arrayBuffer()
    if (answer.status !== 200) late += 1
  }
  for (let i = 0; i < singles; i += 1) await deleteRoute(peer, `/single/${i}`)
  timesMs.sort((a, b) => a - b)
  const at = (share: number): number => timesMs[Math.floor(timesMs.length * share)] ?? Number.NaN
  return { p50Ms: at(0.5), p99Ms: at(0.99), late }
}
