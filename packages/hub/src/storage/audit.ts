import type { JsonObject } from '../util/json.ts'
import type { WriteTransaction } from './store.ts'

/** What was done, by whom, to what; part of the transaction that does it. */
export interface AuditEvent {
  /** `user ada`, `service culler`, `hub`. */
  readonly actor: string
  /** `server.spawn`, `user.create` … */
  readonly action: string
  /** `ada/`, `ada/lab-1`, `ada`. */
  readonly subject: string
  readonly data?: JsonObject
}

export async function recordAudit(
  transaction: WriteTransaction,
  event: AuditEvent,
  now: Date,
): Promise<void> {
  await transaction.db
    .insertInto('audit_events')
    .values({
      at: now.getTime(),
      actor: event.actor,
      action: event.action,
      subject: event.subject,
      data: JSON.stringify(event.data ?? {}),
    })
    .execute()
}

export async function purgeAudit(transaction: WriteTransaction, before: Date): Promise<void> {
  await transaction.db.deleteFrom('audit_events').where('at', '<', before.getTime()).execute()
}
