import { messageOf } from '../domain/errors.ts'
import { purgeAudit } from '../storage/audit.ts'
import { purgeBrowserSessions } from '../storage/browser-sessions.ts'
import { holdLease } from '../storage/leases.ts'
import { purgeOAuthCodes, purgeOrphanedClients } from '../storage/oauth.ts'
import { purgeOperations } from '../storage/operations.ts'
import type { Store } from '../storage/store.ts'
import { purgeShareCodes } from '../storage/share-codes.ts'
import { deleteTokens } from '../storage/tokens.ts'
import type { LifecycleLogger } from './work-context.ts'

const intervalMs = 3_600_000
/** How long the past is kept. */
const operationsKeptMs = 7 * 86_400_000
const auditKeptMs = 90 * 86_400_000

/**
 * Deletes what has expired, at start and every hour; one hub at a time does it.
 * @returns the function that ends it
 */
export function startHousekeeping(options: {
  store: Store
  logger: LifecycleLogger
  now: () => Date
}): () => void {
  const { store, logger, now } = options
  async function clean(): Promise<void> {
    const at = now()
    const before = (ms: number) => new Date(at.getTime() - ms)
    await store.write(async (tx) => {
      const expiresAt = new Date(at.getTime() + intervalMs / 2)
      const lease = { name: 'housekeeping', owner: store.hubId, now: at, expiresAt }
      if (!(await holdLease(tx, lease))) return
      await deleteTokens(tx, { expiredAt: at })
      await purgeOAuthCodes(tx, at)
      await purgeOrphanedClients(tx)
      await purgeBrowserSessions(tx, at)
      await purgeOperations(tx, before(operationsKeptMs))
      await purgeAudit(tx, before(auditKeptMs))
      await tx.db.deleteFrom('setup_links').where('expires_at', '<', at.getTime()).execute()
      await tx.db.deleteFrom('shares').where('expires_at', '<', at.getTime()).execute()
      await purgeShareCodes(tx, at)
    })
  }
  const run = () => {
    clean().catch((error: unknown) => {
      logger.warn({ cause: messageOf(error) }, 'clean-up failed; tried again in an hour')
    })
  }
  run()
  const timer = setInterval(run, intervalMs)
  return () => clearInterval(timer)
}
