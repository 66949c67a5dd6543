import { HubError } from '../domain/errors.ts'
import { shorten } from '../domain/names.ts'

const maxFutureMs = 59 * 60_000
const isoPattern =
  /^(\d{4})-?(\d{2})-?(\d{2})(?:[Tt\s]+(\d{2})(?::?(\d{2})(?::?(\d{2})(?:[.,](\d{1,9}))?)?)?\s*(Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?)?$/

/** ISO 8601 in UTC. Source: contract rest-api §1.5. */
export function toWireTime(at: Date): string {
  return at.toISOString()
}

export function toWireTimeOrNull(at: Date | null): string | null {
  return at === null ? null : at.toISOString()
}

/**
 * Reads an instant that a client reports: ISO 8601 with or without separators, or the form of HTTP
 * and mail (`Tue, 24 Nov 2026 11:50:24 GMT`). Without an offset it is UTC.
 * Fails with `bad_request` for other text and for more than 59 minutes from now.
 */
export function parseReportedTime(text: string, options: { field: string; now: Date }): Date {
  const at = parseIso(text.trim()) ?? parseMailDate(text.trim())
  if (at === undefined) {
    throw new HubError('bad_request', {
      message: `${options.field} is not a date and time: '${shorten(text, 100)}'`,
    })
  }
  if (at.getTime() > options.now.getTime() + maxFutureMs) {
    throw new HubError('bad_request', {
      message: `${options.field} is more than 59 minutes in the future: '${shorten(text, 100)}'`,
    })
  }
  return at
}

function parseIso(text: string): Date | undefined {
  const match = isoPattern.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] =
    match
  const millis = fraction.padEnd(3, '0').slice(0, 3)
  const offset = /^[+-]/.test(zone) ? toOffset(zone) : 'Z'
  return toDate(`${year}-${month}-${day}T${hour}:${minute}:${second}.${millis}${offset}`, day)
}

/** RFC 2822 and its relatives; only with an English month, so that `1/2/26` stays refused. */
function parseMailDate(text: string): Date | undefined {
  const named = /\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b/i
  if (text.length > 60 || !named.test(text) || !/\b\d{4}\b/.test(text)) return undefined
  const hasZone = /(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})$/i.test(text)
  return toDate(hasZone ? text : `${text} UTC`)
}

function toOffset(zone: string): string {
  const digits = zone.slice(1).replace(':', '').padEnd(4, '0')
  return `${zone.slice(0, 1)}${digits.slice(0, 2)}:${digits.slice(2)}`
}

/** `day` guards against roll-over: JavaScript reads 30 February as 2 March. */
function toDate(text: string, day?: string): Date | undefined {
  const at = new Date(text)
  if (Number.isNaN(at.getTime())) return undefined
  if (day !== undefined) {
    const local = new Date(`${text.slice(0, 10)}T00:00:00Z`)
    if (local.getUTCDate() !== Number(day)) return undefined
  }
  return at
}
