import {
  type Backend,
  type ProxyPeer,
  addRoute,
  startBackend,
  startChp,
  startHaproxy,
  startNginx,
  startOrreryEdge,
  startPipe,
} from './proxies.ts'
import * as requests from './rows/proxy-requests.ts'
import * as routes from './rows/routes.ts'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5)
const seconds = Number(process.env['BENCH_SECONDS'] ?? 3)

/**
 * Measures Orrery's edge beside other proxies: same machine, same client, same target, interleaved
 * rounds. Requests per CPU-second of the processes that serve; latency at a constant rate.
 */
export async function runEdgeBench(): Promise<void> {
  const backend = await startBackend()
  const peers: ProxyPeer[] = []
  try {
    for (const start of [startOrreryEdge, startChp, startNginx, startHaproxy, startPipe]) {
      const peer = await start(backend)
      if (peer === undefined)
        print(`${start.name.replace('start', '')} is not on the PATH: left out\n`)
      else peers.push(peer)
    }
    for (const peer of peers)
      if (peer.apiPort !== undefined) await addRoute(peer, '/user/ada', backend.url)
    await printRequests(peers, backend)
    await printRoutes(peers, backend)
  } finally {
    await Promise.all(peers.map((peer) => peer.stop()))
    await backend.stop()
  }
}

async function printRequests(peers: readonly ProxyPeer[], backend: Backend): Promise<void> {
  const samples = new Map<string, requests.ProxySample[]>(peers.map((peer) => [peer.name, []]))
  for (const peer of peers) await requests.measure(peer, { seconds: 1 }) // warms the compiler up
  for (let round = 0; round < rounds; round++) {
    for (const peer of peers)
      samples.get(peer.name)?.push(await requests.measure(peer, { seconds }))
  }
  print(`\n${requests.title}; ${rounds} rounds of ${seconds} s, lowest to highest\n`)
  print(
    `target: ${backend.name}; client: ${requests.clientName}; latency at ${requests.openRatePerSecond}/s\n\n`,
  )
  print(
    '| proxy | requests per CPU-second | CPU µs each | p50 ms | p99 ms | memory MB | failed |\n',
  )
  print('|---|---|---|---|---|---|---|\n')
  for (const [name, taken] of samples) {
    const cells = [
      spread(
        taken.map((s) => s.requestsPerCpuSecond),
        0,
      ),
      spread(
        taken.map((s) => 1e6 / s.requestsPerCpuSecond),
        1,
      ),
      spread(
        taken.map((s) => s.p50Ms),
        1,
      ),
      spread(
        taken.map((s) => s.p99Ms),
        1,
      ),
      spread(
        taken.map((s) => s.memoryBytes / 2 ** 20),
        0,
      ),
      taken.reduce((sum, s) => sum + s.failed, 0),
    ]
    print(`| ${[name, ...cells].join(' | ')} |\n`)
  }
  for (const other of ['configurable-http-proxy', 'nginx', 'raw Node pipe']) {
    const ratios = samples.get('Orrery edge')?.flatMap((ours, i) => {
      const theirs = samples.get(other)?.[i]
      return theirs === undefined ? [] : [ours.requestsPerCpuSecond / theirs.requestsPerCpuSecond]
    })
    if (ratios !== undefined && ratios.length > 0)
      print(`\nOrrery / ${other}, by round: ${spread(ratios, 2)}\n`)
  }
}

async function printRoutes(peers: readonly ProxyPeer[], backend: Backend): Promise<void> {
  print(`\n${routes.title}, and requests with that many\n\n`)
  print(
    '| proxy | routes | adds per CPU-second | bytes each | requests per CPU-second |\n|---|---|---|---|---|\n',
  )
  for (const peer of peers.filter(({ apiPort }) => apiPort !== undefined)) {
    let from = 1
    for (const to of [1, 10_000, 100_000]) {
      const added = to > from ? await routes.addRoutes(peer, backend, { from, to }) : undefined
      from = to
      const taken: number[] = []
      for (let round = 0; round < rounds; round++) {
        taken.push((await requests.measure(peer, { seconds: 1 })).requestsPerCpuSecond)
      }
      const adds = added === undefined ? '' : added.addsPerCpuSecond.toFixed(0)
      const bytes = added === undefined ? '' : added.bytesPerRoute.toFixed(0)
      print(`| ${peer.name} | ${to} | ${adds} | ${bytes} | ${spread(taken, 0)} |\n`)
    }
  }
}

function spread(values: readonly number[], digits: number): string {
  return `${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)}`
}

function print(text: string): void {
  process.stdout.write(text)
}
