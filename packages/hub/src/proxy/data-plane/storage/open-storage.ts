import { messageOf } from '../../../domain/errors.ts'
import type { EdgeContext, EdgeLog } from '../context.ts'
import type { FrontSettings } from '../front.ts'
import { loadPlugin } from './plugin.ts'
import { PluginStore } from './plugin-store.ts'

/** The plug-in that keeps the routes, if there is one. Rejects with an error for people. */
export async function openStorage(
  settings: Pick<FrontSettings, 'storage' | 'forward'>,
  { log, counts }: Pick<EdgeContext, 'log' | 'counts'>,
): Promise<Pick<EdgeContext, 'pluginStore'>> {
  const { storage, forward } = settings
  if (storage === undefined) return {}
  const plugin = await loadPlugin(storage, log)
  survive(log)
  const { hostRouting } = forward
  return { pluginStore: new PluginStore(plugin, { log, hostRouting, counts }) }
}

const logs = new Set<EdgeLog>()

/**
 * What a plug-in does on its own account, say on a connection to a database, may throw where nobody
 * listens. That is no reason to cut every connection: configurable-http-proxy goes on, too.
 */
function survive(log: EdgeLog): void {
  logs.add(log)
  if (logs.size === 1) process.on('uncaughtException', onUncaught)
}

function onUncaught(error: unknown): void {
  for (const log of logs) log('error', `storage backend, by itself: ${messageOf(error)}`)
}
