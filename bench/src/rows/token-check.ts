import { closedLoop, openLoop, percentile, type Target } from '../load.ts'
import type { Peer } from '../peers.ts'

export interface Sample {
  readonly requestsPerCpuSecond: number
  readonly p99Ms: number
  readonly failed: number
}

export const title = 'P1 token check, GET /hub/api/user'
const connections = 16
const closedMs = 3_000
const openMs = 3_000

/** One round against one hub: throughput by CPU time, then latency at a constant rate. */
export async function measure(peer: Peer, ratePerSecond: number): Promise<Sample> {
  const target: Target = {
    host: '127.0.0.1',
    port: peer.hubPort,
    request:
      `GET /hub/api/user HTTP/1.1\r\nHost: 127.0.0.1:${peer.hubPort}\r\n` +
      `Authorization: token ${peer.token}\r\n\r\n`,
  }
  const before = peer.cpuSeconds()
  const closed = await closedLoop(target, { connections, durationMs: closedMs })
  const used = peer.cpuSeconds() - before
  const open = await openLoop(target, { ratePerSecond, durationMs: openMs, connections: 64 })
  return {
    requestsPerCpuSecond: closed.completed / used,
    p99Ms: percentile(open.latenciesMs, 0.99),
    failed: closed.failed + open.failed,
  }
}
