import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from '@prometheus-io/client'
import { ConfigError } from '../domain/errors.ts'
import { type HistogramName, type HistogramSpec, histogramTable } from './metric-table.ts'

/** How many servers and users there are; read when metrics are asked for. */
export interface Census {
  /** Servers that run or are on their way. */
  readonly runningServers: number
  readonly totalUsers: number
  readonly activeUsers: Readonly<Record<'24h' | '7d' | '30d', number>>
}

export interface MetricsOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly takeCensus: () => Promise<Census>
}

const loopIntervalMs = 50

/** Measurements of one hub, in Prometheus' form. `close` ends its timers. */
export class Metrics {
  readonly #registry = new Registry()
  readonly #histograms: ReadonlyMap<HistogramName, Histogram<string>>
  readonly #cspReports: Counter
  readonly #stopLoopTimer: () => void

  constructor(options: MetricsOptions) {
    const prefix = readPrefix(options.env)
    const registers = [this.#registry]
    this.#histograms = createHistograms(prefix, registers, options.env)
    this.#cspReports = new Counter({
      name: `${prefix}_csp_reports_total`,
      help: 'Reports of violated content security policies',
      registers,
    })
    createCensusGauges(prefix, registers, options.takeCensus)
    collectDefaultMetrics({ register: this.#registry })
    this.#stopLoopTimer = watchEventLoop((seconds) =>
      this.observe('event_loop_interval_seconds', {}, seconds),
    )
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** Label values must come from a bounded set: each new combination stays for ever. */
  observe(name: HistogramName, labels: Readonly<Record<string, string>>, seconds: number): void {
    this.#histograms.get(name)?.observe(labels, Math.max(seconds, 0))
  }

  countCspReport(): void {
    this.#cspReports.inc()
  }

  /** Everything, as text. */
  text(): Promise<string> {
    return this.#registry.metrics()
  }

  close(): void {
    this.#stopLoopTimer()
    this.#registry.clear()
  }
}

/** @throws ConfigError for what no metric's name may begin with */
function readPrefix(env: MetricsOptions['env']): string {
  const prefix = env['JUPYTERHUB_METRICS_PREFIX'] ?? 'jupyterhub'
  if (/^[a-zA-Z_:][\w:]{0,99}$/.test(prefix)) return prefix
  throw new ConfigError(
    'JUPYTERHUB_METRICS_PREFIX: names of metrics are letters, digits, underscores and colons.',
  )
}

function createHistograms(
  prefix: string,
  registers: Registry[],
  env: MetricsOptions['env'],
): Map<HistogramName, Histogram<string>> {
  const histograms = new Map<HistogramName, Histogram<string>>()
  for (const name of Object.keys(histogramTable) as HistogramName[]) {
    const spec: HistogramSpec = histogramTable[name]
    const histogram = new Histogram<string>({
      name: `${prefix}_${name}`,
      help: spec.help,
      labelNames: [...spec.labels],
      buckets: readBuckets(spec, env),
      registers,
    })
    for (const labels of spec.preset ?? []) histogram.zero(labels)
    histograms.set(name, histogram)
  }
  return histograms
}

/** @throws ConfigError for what is no list of numbers */
function readBuckets(spec: HistogramSpec, env: MetricsOptions['env']): number[] {
  const text = spec.bucketsEnv === undefined ? '' : (env[spec.bucketsEnv] ?? '').trim()
  if (text === '') return [...spec.buckets]
  const words = text.split(',').map((word) => word.trim().toLowerCase())
  const bounds = words.filter((word) => !/^\+?inf(inity)?$/.test(word)).map(Number)
  if (bounds.length > 0 && bounds.every((bound) => Number.isFinite(bound) && bound > 0)) {
    return bounds.toSorted((a, b) => a - b)
  }
  throw new ConfigError(`${spec.bucketsEnv}: not a list of seconds such as 1,5,30: '${text}'`)
}

/** One census serves all three gauges of an answer. */
function createCensusGauges(
  prefix: string,
  registers: Registry[],
  takeCensus: () => Promise<Census>,
): void {
  let current: Promise<Census> | undefined
  const census = () => {
    current ??= takeCensus().finally(() => {
      current = undefined
    })
    return current
  }
  const running: Gauge = new Gauge({
    name: `${prefix}_running_servers`,
    help: 'Servers that run or are on their way',
    registers,
    collect: async () => running.set((await census()).runningServers),
  })
  const total: Gauge = new Gauge({
    name: `${prefix}_total_users`,
    help: 'Users',
    registers,
    collect: async () => total.set((await census()).totalUsers),
  })
  const active: Gauge<'period'> = new Gauge({
    name: `${prefix}_active_users`,
    help: 'Users who were active within the period',
    labelNames: ['period'],
    registers,
    collect: async () => {
      for (const [period, count] of Object.entries((await census()).activeUsers)) {
        active.set({ period }, count)
      }
    },
  })
}

/** Below twice the interval the interval itself is recorded, as in the reference. */
function watchEventLoop(observe: (seconds: number) => void): () => void {
  let last = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    const elapsed = now - last
    last = now
    observe((elapsed < 2 * loopIntervalMs ? loopIntervalMs : elapsed) / 1000)
  }, loopIntervalMs)
  timer.unref()
  return () => clearInterval(timer)
}
