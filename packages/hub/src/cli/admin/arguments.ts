import type { Json, JsonObject, ServerRef } from '@orrery/client'
import { InvalidArgumentError } from 'commander'

/** Readers of arguments. What they throw ends the command with exit code 2. */

/** `ada`, or `ada/gpu` for a named server. */
export function parseServer(text: string): ServerRef {
  const slash = text.indexOf('/')
  const [user, server] = slash === -1 ? [text, ''] : [text.slice(0, slash), text.slice(slash + 1)]
  if (user === '') throw new InvalidArgumentError('Expected USER or USER/SERVER.')
  return server === '' ? { user } : { user, server }
}

export function parseServers(text: string, before: readonly ServerRef[] = []): ServerRef[] {
  return [...before, parseServer(text)]
}

export function nameOf({ user, server = '' }: ServerRef): string {
  return server === '' ? user : `${user}/${server}`
}

export function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Expected a number of 0 or more.')
  return Number(text)
}

const unitMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

/** `90`, `90s`, `15m`, `12h`, `30d`, `2w`. @returns milliseconds */
export function parseDuration(text: string): number {
  const [, digits, unit = 's'] = /^(\d{1,9})([smhdw])?$/.exec(text) ?? []
  const ms = Number(digits) * (unitMs[unit] ?? Number.NaN)
  if (!(ms > 0)) throw new InvalidArgumentError('Expected a duration such as 90s, 15m, 12h or 30d.')
  return ms
}

export function parseOnOff(text: string): boolean {
  if (text === 'on' || text === 'off') return text === 'on'
  throw new InvalidArgumentError("Expected 'on' or 'off'.")
}

export function parseObject(text: string): JsonObject {
  const value = parseJson(text)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as JsonObject // neither null nor a list
  }
  throw new InvalidArgumentError('Expected a JSON object such as \'{"size": "large"}\'.')
}

/** `key=value`: the value is JSON, or else text. */
export function parseProperty(text: string, before: JsonObject = {}): JsonObject {
  const equals = text.indexOf('=')
  if (equals < 1) throw new InvalidArgumentError('Expected KEY=VALUE.')
  const value = text.slice(equals + 1)
  return { ...before, [text.slice(0, equals)]: parseJson(value) ?? value }
}

/** For options that may be given more than once. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text]
}

function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json // whatever JSON says
  } catch {
    return undefined
  }
}
