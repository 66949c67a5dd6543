/** The metrics of the hub, without their prefix. Source: contract cli-metrics-events §4. */

const defaultBuckets = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
] as const
const spawnBuckets = [0.5, 1, 2.5, 5, 10, 15, 30, 60, 120, 180, 300, 600] as const
/** Finer where a busy loop is first felt. */
const loopBuckets = [
  0.05, 0.055, 0.06, 0.065, 0.07, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
] as const

export interface HistogramSpec {
  readonly help: string
  readonly labels: readonly string[]
  /** Upper bounds, in seconds. */
  readonly buckets: readonly number[]
  /** Environment variable whose comma-separated numbers replace the buckets. */
  readonly bucketsEnv?: string
  /** Label values that exist from the start. */
  readonly preset?: readonly Readonly<Record<string, string>>[]
}

const outcomes = [{ status: 'success' }, { status: 'failure' }] as const

export const histogramTable = {
  request_duration_seconds: {
    help: 'Duration of HTTP requests, by the route that answered',
    labels: ['method', 'handler', 'code'],
    buckets: defaultBuckets,
  },
  server_spawn_duration_seconds: {
    help: 'Time from the request for a server until it is ready, or has failed',
    labels: ['status', 'reason'],
    buckets: spawnBuckets,
    bucketsEnv: 'JUPYTERHUB_SERVER_SPAWN_DURATION_SECONDS_BUCKETS',
    preset: [
      { status: 'success', reason: '' },
      { status: 'failure', reason: '' },
      { status: 'error', reason: '' },
      { status: 'failure', reason: 'throttled' },
      { status: 'failure', reason: 'too-many-users' },
      { status: 'failure', reason: 'already-pending' },
    ],
  },
  server_stop_seconds: {
    help: 'Time from the request to stop a server until it has stopped',
    labels: ['status'],
    buckets: defaultBuckets,
    bucketsEnv: 'JUPYTERHUB_SERVER_STOP_DURATION_SECONDS_BUCKETS',
    preset: outcomes,
  },
  server_poll_duration_seconds: {
    help: 'Time a spawner takes to say whether a server runs',
    labels: ['status'],
    buckets: defaultBuckets,
    // As the reference spells them.
    preset: [{ status: 'ServerPollStatus.running' }, { status: 'ServerPollStatus.stopped' }],
  },
  proxy_add_duration_seconds: {
    help: 'Time until a new route has reached the proxies',
    labels: ['status'],
    buckets: defaultBuckets,
    preset: outcomes,
  },
  proxy_delete_duration_seconds: {
    help: 'Time until a route is withdrawn',
    labels: ['status'],
    buckets: defaultBuckets,
    preset: outcomes,
  },
  check_routes_duration_seconds: {
    help: 'Time taken to check the routing table',
    labels: [],
    buckets: defaultBuckets,
  },
  proxy_poll_duration_seconds: {
    help: 'Time taken to read all routes',
    labels: [],
    buckets: defaultBuckets,
  },
  hub_startup_duration_seconds: {
    help: 'Time from the start of the process until the hub listens',
    labels: [],
    buckets: defaultBuckets,
  },
  init_spawners_duration_seconds: {
    help: 'Time taken to take over what ran before the hub started',
    labels: [],
    buckets: defaultBuckets,
  },
  login_duration_seconds: {
    help: 'Duration of attempts to sign in',
    labels: ['status'],
    buckets: defaultBuckets,
  },
  logout_duration_seconds: {
    help: 'Duration of signing out',
    labels: [],
    buckets: defaultBuckets,
  },
  event_loop_interval_seconds: {
    help: 'Intervals of a timer that asks for 50 ms; longer ones show a busy event loop',
    labels: [],
    buckets: loopBuckets,
  },
} as const satisfies Readonly<Record<string, HistogramSpec>>

export type HistogramName = keyof typeof histogramTable
