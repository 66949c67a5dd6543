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
  startStreamBackend,
} from './proxies.ts'
import * as bodies from './rows/proxy-bodies.ts'
import * as requests from './rows/proxy-requests.ts'
import * as routes from './rows/routes.ts'
import * as sockets from './rows/websockets.ts'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5)
const seconds = Number(process.env['BENCH_SECONDS'] ?? 3)
const idlePairs = Number(process.env['BENCH_PAIRS'] ?? 4000)
const bodyMegabytes = Number(process.env['BENCH_MEGABYTES'] ?? 400)

const rows = ['P9', 'P10', 'P11', 'P12', 'P13'] as const
type Row = (typeof rows)[number]

/**
 * Measures Orrery's edge beside other proxies: same machine, same client, same target, interleaved
 * rounds. Requests per CPU-second of the processes that serve; latency at a constant rate.
 * @param wanted - rows of the table of goals; all without any.
 */
export async function runEdgeBench(wanted: readonly string[]): Promise<void> {
  const isWanted = (...some: readonly Row[]): boolean =>
    wanted.length === 0 || some.some((row) => wanted.includes(row))
  const unknown = wanted.find((row) => !rows.some((one) => one === row))
  if (unknown !== undefined) throw new Error(`There is no row '${unknown}'; ${rows.join(', ')}.`)
  if (isWanted('P9', 'P13')) {
    await withPeers(await startBackend(), async (peers, backend) => {
      if (isWanted('P9')) await printRequests(peers, backend)
      if (isWanted('P13')) await printRoutes(peers, backend)
    })
  }
  if (isWanted('P10', 'P11')) {
    await withPeers(await startStreamBackend(), async (peers) => {
      if (isWanted('P10')) await printBodies(peers)
      if (isWanted('P11')) await printMessages(peers)
    })
  }
  // Of fresh processes: what others left free would be used again.
  if (isWanted('P12')) await withPeers(await startStreamBackend(), printIdle)
}

/** With the flags it has by itself. */
const startOrrery = (): Promise<ProxyPeer> => startOrreryEdge()

async function withPeers(
  backend: Backend,
  use: (peers: readonly ProxyPeer[], backend: Backend) => Promise<void>,
): Promise<void> {
  const peers: ProxyPeer[] = []
  try {
    for (const start of [startOrrery, startChp, startNginx, startHaproxy, startPipe]) {
      const peer = await start(backend)
      if (peer === undefined)
        print(`${start.name.replace('start', '')} is not on the PATH: left out\n`)
      else peers.push(peer)
    }
    for (const peer of peers)
      if (peer.apiPort !== undefined) await addRoute(peer, '/user/ada', backend.url)
    await use(peers, backend)
  } finally {
    await Promise.all(peers.map((peer) => peer.stop()))
    await backend.stop()
  }
}

/** Rounds of a measurement over all peers, interleaved, after one to warm up. */
async function interleaved(
  peers: readonly ProxyPeer[],
  measure: (peer: ProxyPeer, isWarmUp: boolean) => Promise<number>,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const samples = new Map<string, number[]>(peers.map((peer) => [peer.name, []]))
  for (const peer of peers) await measure(peer, true)
  for (let round = 0; round < rounds; round++) {
    for (const peer of peers) samples.get(peer.name)?.push(await measure(peer, false))
  }
  return samples
}

async function printBodies(peers: readonly ProxyPeer[]): Promise<void> {
  print(`\n${bodies.title}; ${rounds} rounds of ${bodyMegabytes} MB, lowest to highest\n\n`)
  print('| proxy | body | CPU ms a megabyte | most growth MB |\n|---|---|---|---|\n')
  for (const megabytes of [1, 100]) {
    for (const kind of bodies.kinds) {
      const growth = new Map<string, number>()
      const samples = await interleaved(peers, async (peer, isWarmUp) => {
        const totalMegabytes = isWarmUp ? megabytes : bodyMegabytes
        const sample = await bodies.measure(peer, { kind, megabytes, totalMegabytes })
        growth.set(peer.name, Math.max(growth.get(peer.name) ?? 0, sample.grownBytes))
        return sample.cpuMsPerMegabyte
      })
      for (const [name, taken] of samples) {
        const grown = ((growth.get(name) ?? 0) / 2 ** 20).toFixed(1)
        print(`| ${name} | ${megabytes} MB ${kind} | ${spread(taken, 2)} | ${grown} |\n`)
      }
    }
  }
}

async function printMessages(peers: readonly ProxyPeer[]): Promise<void> {
  print(`\n${sockets.messagesTitle}; ${rounds} rounds of ${seconds} s, lowest to highest\n\n`)
  print('| proxy | round trips per CPU-second | CPU µs each |\n|---|---|---|\n')
  const samples = await interleaved(
    peers,
    async (peer) => (await sockets.measureMessages(peer, { seconds })).roundTripsPerCpuSecond,
  )
  for (const [name, taken] of samples) {
    const each = taken.map((perSecond) => 1e6 / perSecond)
    print(`| ${name} | ${spread(taken, 0)} | ${spread(each, 1)} |\n`)
  }
}

async function printIdle(peers: readonly ProxyPeer[]): Promise<void> {
  print(`\n${sockets.idleTitle}, ${idlePairs} of them\n\n| proxy | bytes each |\n|---|---|\n`)
  for (const peer of peers) {
    const { bytesPerPair } = await sockets.measureIdle(peer, { pairs: idlePairs })
    print(`| ${peer.name} | ${bytesPerPair.toFixed(0)} |\n`)
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
