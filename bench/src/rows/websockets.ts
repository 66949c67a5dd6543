import { startStreamBackend } from '../backends.ts'
import { type Bench, interleaved, withPeers } from '../bench.ts'
import type { LoadPlan, LoadResult } from '../load-plan.ts'
import * as proxies from '../proxies.ts'
import { type Samples, type Table, atLeast, cell, cellsOf, pick, ratios } from '../table.ts'

const connections = 32
const ratePerSecond = 5000
const kinds = [
  proxies.orrery,
  proxies.orreryOfAllCores,
  proxies.chp,
  proxies.nginx,
  proxies.haproxy,
  proxies.pipe,
  proxies.noProxy,
]

export const upgradeRequest =
  'GET /user/ada/api/kernels/1/channels HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'

/** A masked text frame of 32 bytes, as latin1; the server sends its payload back, unmasked as it came. */
const message = `\x81${String.fromCharCode(0x80 | 32)}\0\0\0\0${'x'.repeat(32)}`

interface MessageSample {
  readonly roundTripsPerCpuSecond: number
  readonly failed: number
  readonly memoryBytes: number
  readonly open: LoadResult
}

export function messagePlan(peer: proxies.ProxyPeer, durationMs: number): LoadPlan {
  const answerBytes = 2 + 32
  return {
    port: peer.port,
    upgrade: upgradeRequest,
    request: message,
    answerBytes,
    connections,
    durationMs,
  }
}

export async function measureMessages(bench: Bench): Promise<Table[]> {
  return withPeers(kinds, startStreamBackend, async (peers) => {
    for (const peer of peers) await bench.client.run(messagePlan(peer, 500))
    const samples = await interleaved(peers, bench.rounds, async (peer) => {
      const plan = messagePlan(peer, bench.seconds * 1000)
      const before = peer.cpuSeconds()
      const closed = await bench.client.run(plan)
      const used = peer.cpuSeconds() - before
      const open = await bench.client.run({ ...plan, ratePerSecond })
      return {
        roundTripsPerCpuSecond: closed.completed / used,
        failed: closed.failed + open.failed,
        memoryBytes: peer.memoryBytes(),
        open,
      }
    })
    return [table(samples)]
  })
}

function table(samples: Samples<MessageSample>): Table {
  const ours = proxies.orrery.name
  const perCpu = (one: MessageSample): number => one.roundTripsPerCpuSecond
  return {
    title: `P11 WebSocket messages, round trips of 32 bytes through ${connections} connections`,
    columns: [
      'proxy',
      'round trips per CPU-second',
      'CPU µs each',
      `p50 ms at ${ratePerSecond}/s`,
      `p99 ms at ${ratePerSecond}/s`,
      'memory MB',
      'failed',
    ],
    rows: [...samples.keys()].map((name) => ({
      name,
      cells: [
        cell(pick(samples, name, perCpu), 0),
        ...cellsOf(samples, name, [
          [(one) => 1e6 / perCpu(one), 1],
          [(one) => one.open.p50Ms, 2],
          [(one) => one.open.p99Ms, 2],
          [(one) => one.memoryBytes / 2 ** 20, 0],
        ]),
        String(pick(samples, name, (one) => one.failed).reduce((sum, count) => sum + count, 0)),
      ],
    })),
    goals: [
      ...atLeast('45,000 round trips per CPU-second', pick(samples, ours, perCpu), {
        least: 45_000,
        digits: 0,
      }),
      ...atLeast(
        '1.15 times configurable-http-proxy',
        ratios(samples, [ours, proxies.chp.name], perCpu),
        { least: 1.15, digits: 2 },
      ),
    ],
  }
}
