import { createHmac, hkdfSync } from 'node:crypto'

/**
 * The API token of one run of a server, derived from the hub's secret: the hub that takes a start
 * over after a crash can give the server the same token, although only a hash of it is stored.
 * @returns 32 lower-case hex characters
 */
export function deriveServerToken(secret: Buffer, runId: string): string {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'orrery server token', 32))
  return createHmac('sha256', key).update(runId).digest('hex').slice(0, 32)
}
