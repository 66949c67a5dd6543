import { HubError } from '../domain/errors.ts'
import { SpawnRefused } from '../plugin-api/spawner.ts'
import { DeadlineExceeded } from './deadline.ts'

/** Kinds of measurements that the work on servers gives, in seconds. */
export type LifecycleMeasure =
  | 'server_spawn_duration_seconds'
  | 'server_stop_seconds'
  | 'server_poll_duration_seconds'
  | 'proxy_add_duration_seconds'
  | 'proxy_delete_duration_seconds'
  | 'init_spawners_duration_seconds'

/** Where measurements go; labels take few values. */
export type LifecycleObserver = (
  name: LifecycleMeasure,
  labels: Readonly<Record<string, string>>,
  seconds: number,
) => void

/** Labels of a start that was not to be. Source: contract cli-metrics-events §4. */
export function spawnFailureLabels(error: unknown): { status: string; reason: string } {
  if (error instanceof DeadlineExceeded) return { status: 'failure', reason: '' }
  if (error instanceof SpawnRefused) return { status: 'failure', reason: 'refused' }
  if (error instanceof HubError) return { status: 'failure', reason: 'exited' }
  return { status: 'error', reason: '' }
}

/** Labels of a request for a start that was refused; `undefined` for mistakes of the caller. */
export function refusalLabels(error: unknown): { status: string; reason: string } | undefined {
  if (!(error instanceof HubError)) return undefined
  switch (error.code) {
    case 'spawn_throttled':
      return { status: 'failure', reason: 'throttled' }
    case 'active_server_limit':
      return { status: 'failure', reason: 'too-many-users' }
    case 'server_pending':
      return { status: 'failure', reason: 'already-pending' }
    default:
      return undefined
  }
}

/** Seconds since an instant. */
export function secondsSince(at: Date, now: Date): number {
  return (now.getTime() - at.getTime()) / 1000
}
