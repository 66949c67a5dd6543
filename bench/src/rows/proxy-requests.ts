import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type Target, closedLoop, openLoop, percentile } from '../load.ts'
import { type ProxyPeer, findProgram } from '../proxies.ts'

export interface ProxySample {
  readonly requestsPerCpuSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly memoryBytes: number
  readonly failed: number
}

export const title = 'P9 HTTP through the proxy, keep-alive, 1 kB answers, one worker'
export const path = '/user/ada/api/contents'
const connections = 64
export const openRatePerSecond = 2000

const run = promisify(execFile)
const wrk = findProgram('wrk')
export const clientName = wrk === undefined ? "the bench's own client" : 'wrk'

/** Headers as a browser sends them to a server: what a proxy reads and passes on. */
const headers = {
  Host: 'hub.example.org',
  'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  Accept: 'application/json',
  'Accept-Language': 'en-US,en;q=0.5',
  'Accept-Encoding': 'gzip, deflate, br',
  Cookie: `_xsrf=2|5a0d1d51|${'0'.repeat(32)}|1764057600; jupyterhub-user-ada=${'a'.repeat(60)}`,
}

/** One round against one proxy: requests by CPU time, then latency at a constant rate. */
export async function measure(
  peer: ProxyPeer,
  options: { readonly seconds: number },
): Promise<ProxySample> {
  const target: Target = { host: '127.0.0.1', port: peer.port, request: requestText() }
  const before = peer.cpuSeconds()
  const closed = await load(target, options.seconds)
  const used = peer.cpuSeconds() - before
  const open = await openLoop(target, {
    ratePerSecond: openRatePerSecond,
    durationMs: options.seconds * 1000,
    connections,
  })
  return {
    requestsPerCpuSecond: closed.completed / used,
    p50Ms: percentile(open.latenciesMs, 0.5),
    p99Ms: percentile(open.latenciesMs, 0.99),
    memoryBytes: peer.memoryBytes(),
    failed: closed.failed + open.failed,
  }
}

function requestText(): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** As many requests as the proxy takes: by wrk, which costs the machine less than we do. */
async function load(
  target: Target,
  seconds: number,
): Promise<{ completed: number; failed: number }> {
  if (wrk === undefined) return closedLoop(target, { connections, durationMs: seconds * 1000 })
  const { stdout } = await run(wrk, [
    '-t1',
    `-c${connections}`,
    `-d${seconds}`,
    ...Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
    `http://${target.host}:${target.port}${path}`,
  ])
  const completed = Number(/(\d+) requests in/.exec(stdout)?.[1] ?? 0)
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1] ?? 0)
  const broken = /connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout) ?? []
  const failed = broken.slice(1).reduce((sum, count) => sum + Number(count), refused)
  return { completed: completed - refused, failed }
}
