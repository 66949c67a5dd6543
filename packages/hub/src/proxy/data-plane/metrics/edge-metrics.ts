import { limitNames, upstreamFailures } from './counts.ts'
import type { EdgeCounts, TimedName } from './counts.ts'
import { quantileOf } from './duration-buckets.ts'

/** What is measured when metrics are asked for. */
export interface Measurements {
  /** Of all threads, those that ended included. */
  readonly counts: EdgeCounts
  readonly routes: number
  /** Threads that forward. */
  readonly workers: number
  /** How many were started in place of one that ended. */
  readonly workerRestarts: number
}

interface Metric {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'summary'
  /** Labels, `{…}` or none, with their value; `_sum` and `_count` of a summary. */
  readonly samples: readonly (readonly [suffix: string, value: number])[]
}

const quantiles = [0.01, 0.05, 0.5, 0.9, 0.95, 0.99, 0.999] as const

/** Prometheus' text form of what the edge counts. Source: contract proxy §8. */
export function formatEdgeMetrics(measured: Measurements): string {
  return [...commonMetrics(measured.counts), ...ownMetrics(measured)].map(format).join('\n')
}

/** Names, types and labels of configurable-http-proxy. */
function commonMetrics(counts: EdgeCounts): Metric[] {
  const counter = (name: string, help: string, value: number): Metric => ({
    name,
    help,
    type: 'counter',
    samples: [['', value]],
  })
  return [
    counter('api_route_get', 'Lists of routes that were answered', counts.valueOf('apiGet')),
    counter('api_route_add', 'Routes that were added', counts.valueOf('apiAdd')),
    counter('api_route_delete', 'Requests to delete a route', counts.valueOf('apiDelete')),
    summary(counts, 'findTarget', {
      name: 'find_target_for_req',
      help: 'Seconds to find the target of a request',
    }),
    summary(counts, 'activity', {
      name: 'last_activity_updating',
      help: 'Seconds to note that a route was used',
    }),
    counter('requests_ws', 'Requests for an upgrade', counts.valueOf('webSocket')),
    counter('requests_web', 'Other requests', counts.valueOf('web')),
    byStatus('requests_proxy', 'Answers of targets, and errors of the proxy', counts, 'proxied'),
    byStatus('requests_api', 'Answers of the API', counts, 'api'),
  ]
}

function ownMetrics(measured: Measurements): Metric[] {
  const { counts } = measured
  const gauge = (name: string, help: string, value: number): Metric => ({
    name: `orrery_edge_${name}`,
    help,
    type: 'gauge',
    samples: [['', value]],
  })
  return [
    gauge('connections', 'Connections of clients, but for tunnels', counts.valueOf('connections')),
    gauge('tunnels', 'WebSockets and other tunnels', counts.valueOf('tunnels')),
    gauge(
      'upstream_connections',
      'Connections to targets, but for tunnels',
      counts.valueOf('upstreamConnections'),
    ),
    gauge('routes', 'Routes in the table', measured.routes),
    gauge('workers', 'Threads that forward', measured.workers),
    {
      name: 'orrery_edge_worker_restarts_total',
      help: 'Threads started in place of one that ended',
      type: 'counter',
      samples: [['', measured.workerRestarts]],
    },
    {
      name: 'orrery_edge_upstream_errors_total',
      help: 'Requests that a target did not answer, or not to the end',
      type: 'counter',
      samples: upstreamFailures.map((why) => [`{reason="${why}"}`, counts.upstreamFailures(why)]),
    },
    {
      name: 'orrery_edge_refused_total',
      help: 'Connections and requests that a limit refused',
      type: 'counter',
      samples: limitNames.map((limit) => [`{limit="${limit}"}`, counts.refusals(limit)]),
    },
  ]
}

function summary(
  counts: EdgeCounts,
  timed: TimedName,
  about: Pick<Metric, 'name' | 'help'>,
): Metric {
  const { count, seconds, buckets } = counts.timed(timed)
  return {
    ...about,
    type: 'summary',
    samples: [
      ...quantiles.map((part) => [`{quantile="${part}"}`, quantileOf(buckets, part)] as const),
      ['_sum', seconds],
      ['_count', count],
    ],
  }
}

function byStatus(name: string, help: string, counts: EdgeCounts, kind: 'proxied' | 'api'): Metric {
  const samples = counts
    .statuses(kind)
    .map(([status, count]) => [`{status="${status}"}`, count] as const)
  return { name, help, type: 'counter', samples }
}

function format({ name, help, type, samples }: Metric): string {
  const lines = samples.map(([suffix, value]) => `${name}${suffix} ${value}\n`)
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
}
