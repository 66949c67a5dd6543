import { type Peer, startJupyterHub, startOrrery } from './peers.ts'
import { measure, type Sample, title } from './rows/token-check.ts'

/**
 * Measures Orrery and the reference side by side: same machine, same client, interleaved rounds.
 * Prints requests per CPU-second of the hub process and the p99 at a constant rate, with the spread.
 */
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5)
/** The reference saturates far below Orrery's rate; each is asked what it can be expected to bear. */
const rates: Readonly<Record<string, number>> = { Orrery: 5_000, JupyterHub: 300 }

const orrery = await startOrrery()
const reference = await startJupyterHub()
const peers: Peer[] = reference === undefined ? [orrery] : [orrery, reference]
if (reference === undefined) {
  process.stdout.write('JupyterHub is not installed: `npm run setup` brings it. Orrery alone:\n')
}
const samples = new Map<string, Sample[]>(peers.map((peer) => [peer.name, []]))
try {
  for (const peer of peers) await measure(peer, 100) // warms caches and the compiler up
  for (let round = 0; round < rounds; round++) {
    for (const peer of peers) {
      samples.get(peer.name)?.push(await measure(peer, rates[peer.name] ?? 300))
    }
  }
} finally {
  await Promise.all(peers.map((peer) => peer.stop()))
}

process.stdout.write(`\n${title}, ${rounds} rounds, lowest to highest\n\n`)
process.stdout.write(
  '| hub | requests per CPU-second | p99 in ms | at a rate of | failed |\n|---|---|---|---|---|\n',
)
for (const [name, taken] of samples) {
  const cpu = spread(
    taken.map((sample) => sample.requestsPerCpuSecond),
    0,
  )
  const p99 = spread(
    taken.map((sample) => sample.p99Ms),
    1,
  )
  const failed = taken.reduce((sum, sample) => sum + sample.failed, 0)
  process.stdout.write(`| ${name} | ${cpu} | ${p99} | ${rates[name] ?? 0}/s | ${failed} |\n`)
}
const ratio = lowestRatio(samples)
if (ratio !== undefined)
  process.stdout.write(`\nlowest Orrery / highest JupyterHub: ${ratio.toFixed(1)}x\n`)

function spread(values: readonly number[], digits: number): string {
  return `${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)}`
}

function lowestRatio(taken: ReadonlyMap<string, readonly Sample[]>): number | undefined {
  const ours = taken.get('Orrery')?.map((sample) => sample.requestsPerCpuSecond) ?? []
  const theirs = taken.get('JupyterHub')?.map((sample) => sample.requestsPerCpuSecond) ?? []
  return theirs.length === 0 ? undefined : Math.min(...ours) / Math.max(...theirs)
}
