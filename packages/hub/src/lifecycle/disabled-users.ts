import { messageOf } from '../domain/errors.ts'
import { listServerIdsOfDisabled } from '../storage/disabled-users.ts'
import { findServerById } from '../storage/servers.ts'
import { requestStop } from './requests.ts'
import type { WorkContext } from './work-context.ts'

/** A lost message, or a hub that died before it asked for the stop, costs no more than this. */
const lookEveryMs = 3_000

/**
 * Stops what disabled users run: as soon as a user changes, and every few seconds.
 * @returns the function that ends it
 */
export function watchDisabledUsers(context: WorkContext): () => Promise<void> {
  const { store, logger } = context
  let isEnding = false
  let looking: Promise<void> | undefined
  let lookAgain = false

  async function look(): Promise<void> {
    try {
      for (const id of await listServerIdsOfDisabled(store.db)) {
        const server = await findServerById(store.db, id)
        if (server === undefined || isEnding) continue
        await requestStop(context, { server, actor: 'hub' })
      }
    } catch (error) {
      logger.warn({ cause: messageOf(error) }, 'servers of disabled users could not be stopped')
    }
  }

  function wake(): void {
    lookAgain = true
    if (isEnding || looking !== undefined) return
    lookAgain = false
    looking = look().finally(() => {
      looking = undefined
      if (lookAgain) wake()
    })
  }

  const off = store.bus.on(['user'], wake)
  const timer = setInterval(wake, lookEveryMs)
  wake()
  return async () => {
    isEnding = true
    off()
    clearInterval(timer)
    await looking
  }
}
