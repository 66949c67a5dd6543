import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { findProgram } from './processes.ts'
import { ownFiles } from './soak/own-files.ts'
import { type Act, type Outcome, acts, vanishClients } from './soak/acts.ts'
import {
  type Target,
  startGoodTarget,
  startHangingTarget,
  startResettingTarget,
} from './soak/targets.ts'
import { type Finding, type Rest, judge } from './soak/verdict.ts'
import { type EdgeState, WatchedEdge, mb } from './soak/watched-edge.ts'

export interface SoakOptions {
  /** Of load, without the rests. */
  readonly seconds: number
  readonly print?: (text: string) => void
}

export interface SoakReport {
  /** What was done, by kind. */
  readonly counts: Readonly<Record<string, number>>
  /** What came of it, by kind and result. */
  readonly results: Readonly<Record<string, number>>
  readonly findings: readonly Finding[]
}

const samplesEveryMs = 60_000
const warmUpMs = 180_000
const restMs = 60_000
const calmMs = 5000
/** Where the process that holds WebSockets asks. */
const holderPath = '/user/ada'
/** A disturbance is felt by what is asked for so long before and after it. */
const disturbedMs = 500

/**
 * Wears two edges, a plain one and one with TLS, with everything that goes wrong in a long life. A
 * quarter of the time, three minutes at most, warms them up; what they hold at rest afterwards is
 * compared with what they hold at rest in the end.
 */
export async function soak({ seconds, print = () => undefined }: SoakOptions): Promise<SoakReport> {
  const folder = await mkdtemp(join(tmpdir(), 'orrery-soak-'))
  const run = new Soak(print)
  try {
    await run.start(folder)
    const firstMs = Math.min((seconds * 1000) / 4, warmUpMs)
    await run.load(firstMs)
    const before = await run.rest()
    await run.load(seconds * 1000 - firstMs)
    const after = await run.rest(before)
    const findings = judge({ before, after, run })
    return { counts: run.counts, results: run.results, findings }
  } finally {
    await run.stop()
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

class Soak {
  readonly counts: Record<string, number> = {}
  readonly results: Record<string, number> = {}
  readonly unexpected: string[] = []
  readonly activity: string[] = []
  readonly #print: (text: string) => void
  readonly #edges: WatchedEdge[] = []
  readonly #targets: Target[] = []
  #good: Target | undefined
  #beganAt = performance.now()
  #endsAt = 0
  #disturbing = 0
  #disturbedAt = Number.NEGATIVE_INFINITY

  constructor(print: (text: string) => void) {
    this.#print = print
  }

  async start(folder: string): Promise<void> {
    this.#edges.push(await WatchedEdge.start([]))
    const tlsFlags = makeCertificate(folder)
    if (tlsFlags === undefined) this.#print('openssl is not on the PATH: without TLS and HTTP/2\n')
    else this.#edges.push(await WatchedEdge.start(tlsFlags))
    const [hanging, resetting] = [await startHangingTarget(), await startResettingTarget()]
    this.#targets.push(hanging, resetting)
    for (const edge of this.#edges) {
      await edge.addRoute('/hanging', hanging.url)
      await edge.addRoute('/resetting', resetting.url)
      await edge.addRoute('/refusing', 'http://127.0.0.1:9')
      await edge.addRoute('/idle', 'http://127.0.0.1:9')
    }
    this.#print('| minute | edge | MB | heap MB main / workers | open files | own files | done |\n')
    this.#print('|---|---|---|---|---|---|---|\n')
  }

  async load(ms: number): Promise<void> {
    const beganAt = Date.now()
    this.#endsAt = performance.now() + ms
    await this.#restart()
    const sampling = new AbortController()
    const series = this.#printSeries(sampling.signal)
    await Promise.all([
      ...this.#edges.flatMap((edge) => this.#wear(edge)),
      this.#repeat('restart of a server', () => this.#disturb(() => this.#restart()), 5000),
    ])
    sampling.abort()
    await series
    await this.#checkActivity(beganAt, beganAt + ms)
  }

  /** Waits until everything has been let go. @param earlier - rest, which this one is to equal */
  async rest(earlier?: Rest): Promise<Rest> {
    this.#good?.stop()
    const giveUpAt = performance.now() + restMs
    let calmSince = performance.now()
    let files = Number.POSITIVE_INFINITY
    let lowest = files
    const wanted = earlier === undefined ? files : countFiles(earlier)
    const isAtRest = (): boolean => performance.now() - calmSince >= calmMs && files <= wanted
    while (performance.now() < giveUpAt && !isAtRest()) {
      await delay(250)
      files = this.#edges.reduce((sum, edge) => sum + edge.openFiles(), ownFiles().length)
      if (files < lowest) calmSince = performance.now()
      lowest = Math.min(lowest, files)
    }
    const edges = new Map<string, EdgeState>()
    for (const edge of this.#edges) edges.set(edge.name, await edge.state())
    const rest = { edges, ownFiles: ownFiles() }
    this.#printStates(edges, 'at rest')
    return rest
  }

  async stop(): Promise<void> {
    this.#good?.stop()
    for (const target of this.#targets) target.stop()
    await Promise.all(this.#edges.map((edge) => edge.stop()))
  }

  /** All that is done to one edge at the same time. */
  #wear(edge: WatchedEdge): Promise<void>[] {
    const possible = acts.filter((act) => act.needsTls !== true || edge.isTls)
    return [
      ...possible.flatMap((act) => Array.from({ length: act.clients }, () => this.#act(act, edge))),
      this.#repeat('route that comes and goes', () => changeRoutes(edge), 20),
      this.#repeat('worker that is killed', () => this.#disturb(() => edge.killWorker()), 20_000),
      ...(edge.isTls ? [] : [this.#act({ name: 'clients that vanish', run: vanishClients }, edge)]),
    ]
  }

  async #act({ name, run }: Pick<Act, 'name' | 'run'>, edge: WatchedEdge): Promise<void> {
    while (performance.now() < this.#endsAt) {
      const beganAt = performance.now()
      this.#count(name)
      const outcome = await run(edge).catch(failed)
      const result = `${name}: ${outcome.result}`
      this.results[result] = (this.results[result] ?? 0) + 1
      // While a server is exchanged or a worker ends, some are refused and some are cut; none waits.
      const isDisturbed = this.#disturbing > 0 || this.#disturbedAt >= beganAt - disturbedMs
      const isAnswered = !outcome.result.includes('not answered')
      if (!outcome.isExpected && !(isDisturbed && isAnswered && isRefusal(outcome)))
        this.unexpected.push(`${edge.name} edge, ${result}`)
    }
  }

  async #repeat(name: string, act: () => Promise<void>, pauseMs: number): Promise<void> {
    while (performance.now() + pauseMs < this.#endsAt) {
      this.#count(name)
      await act()
      await delay(pauseMs)
    }
  }

  #count(name: string): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1
  }

  /** What is refused or cut meanwhile is no wonder. */
  async #disturb(act: () => Promise<unknown>): Promise<void> {
    this.#disturbing += 1
    try {
      await act()
    } finally {
      this.#disturbing -= 1
      this.#disturbedAt = performance.now()
    }
  }

  /** A new server takes over from one that goes without a word. */
  async #restart(): Promise<void> {
    const before = this.#good
    const target = await startGoodTarget()
    this.#good = target
    before?.stop()
    const moved = this.#edges.map(async (edge) => {
      await edge.addRoute('/live', target.url)
      await edge.addRoute(holderPath, target.url)
    })
    await Promise.all(moved)
  }

  async #printSeries(signal: AbortSignal): Promise<void> {
    for (;;) {
      await delay(samplesEveryMs, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return
      const states = new Map<string, EdgeState>()
      for (const edge of this.#edges) states.set(edge.name, await edge.state())
      this.#printStates(states, '')
    }
  }

  #printStates(states: ReadonlyMap<string, EdgeState>, note: string): void {
    const minute = ((performance.now() - this.#beganAt) / 60_000).toFixed(1)
    const done = Object.values(this.counts).reduce((sum, count) => sum + count, 0)
    for (const [name, { memoryBytes, openFiles, heap }] of states) {
      const heaps = `${mb(heap.mainHeapBytes)} / ${heap.workerHeapBytes.map(mb).join(', ')}`
      const cells = [
        minute,
        `${name} ${note}`,
        mb(memoryBytes),
        heaps,
        openFiles,
        ownFiles().length,
        done,
      ]
      this.#print(`| ${cells.join(' | ')} |\n`)
    }
  }

  /** What is used is known to be, what is not is not. */
  async #checkActivity(beganAt: number, endsAt: number): Promise<void> {
    const now = Date.now()
    for (const edge of this.#edges) {
      const live = await edge.lastActivity('/live')
      if (live < endsAt - 10_000 || live > now + 1000)
        this.activity.push(
          `${edge.name} edge: /live was used ${endsAt - live} ms before the end of the load`,
        )
      // Its only activity is that it was added; a refusal is none.
      for (const path of ['/refusing', '/idle']) {
        if ((await edge.lastActivity(path)) > beganAt + 1000)
          this.activity.push(`${edge.name} edge: ${path} counts as used`)
      }
    }
  }
}

const countFiles = ({ edges, ownFiles: own }: Rest): number =>
  [...edges.values()].reduce((sum, { openFiles }) => sum + openFiles, own.length)

/** 503 by the edge, or the connection cut. */
const isRefusal = ({ result }: Outcome): boolean =>
  result.includes('503') ||
  result.includes('cut') ||
  result.includes('closed') ||
  /\b(?:101|200)\b/.test(result)

function failed(error: unknown): Outcome {
  return { result: `cut: ${String(error)}`, isExpected: false }
}

async function changeRoutes(edge: WatchedEdge): Promise<void> {
  await edge.addRoute('/live/passing', 'http://127.0.0.1:9')
  await edge.deleteRoute('/live/passing')
}

/** @returns flags of an edge, or `undefined` where none can be made */
function makeCertificate(folder: string): string[] | undefined {
  const openssl = findProgram('openssl')
  if (openssl === undefined) return undefined
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
  execFileSync(openssl, ['req', ...kind, ...name, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  })
  return ['--ssl-key', key, '--ssl-cert', cert]
}

/** `npm run bench -- soak --minutes 30` */
export async function runSoak(args: readonly string[]): Promise<void> {
  const at = args.indexOf('--minutes')
  const minutes = at === -1 ? 30 : Number(args[at + 1])
  if (!(minutes > 0)) throw new Error('--minutes is a number above 0')
  const print = (text: string): void => void process.stdout.write(text)
  print(`Soak of ${minutes} minutes\n\n`)
  const { findings, counts, results } = await soak({ seconds: minutes * 60, print })
  print('\n')
  for (const [kind, count] of Object.entries(counts)) print(`${kind}: ${count}\n`)
  print('\nWhat came of it:\n')
  for (const [result, count] of Object.entries(results)) print(`${result}: ${count}\n`)
  print('\n')
  for (const { text, isGood } of findings) print(`${isGood ? 'ok' : 'NOT OK'}: ${text}\n`)
  const isGood = findings.every((finding) => finding.isGood)
  print(isGood ? 'The edge came through.\n' : 'The edge did not come through.\n')
  if (!isGood) process.exitCode = 1
}
