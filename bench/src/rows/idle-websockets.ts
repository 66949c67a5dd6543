import { setTimeout as delay } from 'node:timers/promises'
import { startStreamBackend } from '../backends.ts'
import { type Bench, withPeers } from '../bench.ts'
import { Holder } from '../holder.ts'
import type { LoadResult } from '../load-plan.ts'
import * as proxies from '../proxies.ts'
import { type Table, atMost, cellsOf, pick } from '../table.ts'
import { messagePlan } from './websockets.ts'

const pairs = 4000
const ratePerSecond = 1000
const kinds = [proxies.orrery, proxies.chp, proxies.nginx, proxies.haproxy, proxies.pipe]

interface IdleSample {
  readonly bytesPerPair: number
  readonly cpuUsToOpen: number
  readonly messages: LoadResult
}

/** Of fresh processes each round: what others left free would be used again, and ports run out. */
export async function measureIdle(bench: Bench): Promise<Table[]> {
  const samples = new Map<string, IdleSample[]>()
  for (let round = 0; round < bench.rounds; round += 1) {
    for (const kind of kinds) {
      await withPeers([kind], startStreamBackend, async ([peer]) => {
        if (peer === undefined) return
        samples.set(peer.name, [...(samples.get(peer.name) ?? []), await measure(bench, peer)])
      })
    }
  }
  const ours = proxies.orrery.name
  const rate = `${ratePerSecond}/s`
  return [
    {
      title: `P12 idle WebSockets, ${pairs} of them; round trips through 32 others meanwhile`,
      columns: [
        'proxy',
        'bytes each',
        'CPU µs to open one',
        `p50 ms at ${rate}`,
        `p99 ms at ${rate}`,
      ],
      rows: [...samples.keys()].map((name) => ({
        name,
        cells: [
          ...cellsOf(samples, name, [
            [(one) => one.bytesPerPair, 0],
            [(one) => one.cpuUsToOpen, 0],
            [(one) => one.messages.p50Ms, 2],
            [(one) => one.messages.p99Ms, 2],
          ]),
        ],
      })),
      goals: atMost(
        '9 kB',
        pick(samples, ours, (one) => one.bytesPerPair),
        { most: 9000, digits: 0 },
      ),
    },
  ]
}

async function measure(bench: Bench, peer: proxies.ProxyPeer): Promise<IdleSample> {
  const first = await Holder.open(peer.port, pairs / 4)
  try {
    await bench.client.run({ ...messagePlan(peer, 200), ratePerSecond })
    const before = await restingMemory(peer)
    const cpuBefore = peer.cpuSeconds()
    const held = await Holder.open(peer.port, pairs)
    try {
      const cpuUsToOpen = ((peer.cpuSeconds() - cpuBefore) * 1e6) / pairs
      const after = await restingMemory(peer)
      const messages = await bench.client.run({ ...messagePlan(peer, 700), ratePerSecond })
      return { bytesPerPair: (after - before) / pairs, cpuUsToOpen, messages }
    } finally {
      await held.close()
    }
  } finally {
    await first.close()
  }
}

/** The lowest of several looks after garbage is collected. */
export async function restingMemory(peer: proxies.ProxyPeer): Promise<number> {
  let lowest = Number.POSITIVE_INFINITY
  peer.collect()
  for (let look = 0; look < 6; look += 1) {
    await delay(200)
    lowest = Math.min(lowest, peer.memoryBytes())
  }
  return lowest
}
