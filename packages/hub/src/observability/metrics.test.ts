import { afterEach, expect, test } from 'vitest'
import { ConfigError } from '../domain/errors.ts'
import { Metrics } from './metrics.ts'

const census = {
  runningServers: 3,
  totalUsers: 7,
  activeUsers: { '24h': 1, '7d': 2, '30d': 4 },
}
let metrics: Metrics | undefined
afterEach(() => metrics?.close())

function create(env: Record<string, string> = {}): Metrics {
  metrics = new Metrics({ env, takeCensus: async () => census })
  return metrics
}

test('every preset series exists before anything has happened', async () => {
  const text = await create().text()
  for (const series of [
    'jupyterhub_server_spawn_duration_seconds_count{status="success",reason=""} 0',
    'jupyterhub_server_spawn_duration_seconds_count{status="failure",reason="throttled"} 0',
    'jupyterhub_server_stop_seconds_count{status="failure"} 0',
    'jupyterhub_server_poll_duration_seconds_count{status="ServerPollStatus.running"} 0',
    'jupyterhub_proxy_add_duration_seconds_count{status="success"} 0',
    'jupyterhub_check_routes_duration_seconds_count 0',
    'jupyterhub_csp_reports_total 0',
    'jupyterhub_running_servers 3',
    'jupyterhub_total_users 7',
    'jupyterhub_active_users{period="30d"} 4',
  ]) {
    expect(text).toContain(`${series}\n`)
  }
  expect(text).toContain('process_cpu_seconds_total')
})

test('observations fall into the buckets of the contract', async () => {
  const hub = create()
  hub.observe('server_spawn_duration_seconds', { status: 'success', reason: '' }, 45)
  hub.observe('request_duration_seconds', { method: 'GET', handler: '/x', code: '200' }, 0.02)
  hub.countCspReport()
  const text = await hub.text()
  const spawn = 'jupyterhub_server_spawn_duration_seconds_bucket'
  expect(text).toContain(`${spawn}{le="30",status="success",reason=""} 0\n`)
  expect(text).toContain(`${spawn}{le="60",status="success",reason=""} 1\n`)
  const request = 'jupyterhub_request_duration_seconds_bucket'
  expect(text).toContain(`${request}{le="0.01",method="GET",handler="/x",code="200"} 0\n`)
  expect(text).toContain(`${request}{le="0.025",method="GET",handler="/x",code="200"} 1\n`)
  expect(text).toContain('jupyterhub_csp_reports_total 1\n')
})

test('prefix and buckets come from the environment', async () => {
  const text = await create({
    JUPYTERHUB_METRICS_PREFIX: 'our_hub',
    JUPYTERHUB_SERVER_SPAWN_DURATION_SECONDS_BUCKETS: '3, 1,inf',
  }).text()
  const series = 'our_hub_server_spawn_duration_seconds_bucket{le="3",status="success",reason=""} 0'
  expect(text).toContain(series)
  expect(text).not.toContain('jupyterhub_')
  expect(text).not.toContain('our_hub_server_spawn_duration_seconds_bucket{le="5"')
})

test.each([
  { JUPYTERHUB_METRICS_PREFIX: 'with space' },
  { JUPYTERHUB_METRICS_PREFIX: '' },
  { JUPYTERHUB_SERVER_STOP_DURATION_SECONDS_BUCKETS: '1,two' },
  { JUPYTERHUB_SERVER_STOP_DURATION_SECONDS_BUCKETS: 'inf' },
])('an environment that cannot be is refused: %o', (env) => {
  expect(() => create(env)).toThrow(ConfigError)
})
