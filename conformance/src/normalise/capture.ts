import { type Cookie, parseSetCookie } from '../cookie-jar.ts'
import type { Answer } from '../http-client.ts'
import { type PageFacts, readPage } from './html.ts'
import { normaliseJson } from './json.ts'
import type { Normaliser } from './normaliser.ts'

/** An answer, reduced to what both hubs must have in common. */
export interface Capture {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** By name and path: flags and lifetime. */
  readonly cookies: Readonly<Record<string, string>>
  readonly body: unknown
}

/** Compared letter by letter. */
const exactHeaders = [
  'location',
  'content-type',
  'content-security-policy',
  'access-control-allow-origin',
  'access-control-allow-headers',
  'access-control-allow-methods',
  'cache-control',
  'pragma',
  'www-authenticate',
  'allow',
] as const

/** It matters that they are there. */
const presentHeaders = ['x-jupyterhub-version', 'etag', 'retry-after'] as const

export function capture(answer: Answer, normaliser: Normaliser): Capture {
  // What the body makes known has its name by the time that header and cookies are read.
  const body = readBody(answer, normaliser)
  const exact = exactHeaders.flatMap((name) => {
    const value = answer.headers[name]
    return value === undefined ? [] : [[name, normaliseHeader(name, String(value), normaliser)]]
  })
  const present = presentHeaders.flatMap((name) => {
    return answer.headers[name] === undefined ? [] : [[name, 'present']]
  })
  return {
    status: answer.status,
    headers: Object.fromEntries([...exact, ...present]) as Record<string, string>,
    cookies: describeCookies(answer.headers['set-cookie'] ?? []),
    body: answer.isCutOff ? { cutOff: true, body } : body,
  }
}

function normaliseHeader(name: string, value: string, normaliser: Normaliser): string {
  if (name !== 'content-type') return normaliser.text(value)
  return value
    .toLowerCase()
    .replaceAll(/;\s*/g, '; ')
    .replace(/boundary=.*/, 'boundary=…')
}

function describeCookies(headers: readonly string[]): Record<string, string> {
  const cookies = headers.map((header) => parseSetCookie(header))
  return Object.fromEntries(
    cookies.map((cookie) => [`${cookie.name} on ${cookie.path}`, describeCookie(cookie)]),
  )
}

function describeCookie(cookie: Cookie): string {
  if (cookie.maxAge !== undefined && cookie.maxAge <= 0) return 'cleared'
  const flags = [
    cookie.isHttpOnly ? 'HttpOnly' : '',
    cookie.isSecure ? 'Secure' : '',
    cookie.sameSite === undefined ? '' : `SameSite=${cookie.sameSite}`,
    cookie.domain === undefined ? '' : `Domain=${cookie.domain}`,
    describeLifetime(cookie.maxAge),
  ]
  return flags.filter((flag) => flag !== '').join(', ')
}

/** Rounded to what people mean, so that the second in which it was set plays no part. */
function describeLifetime(seconds: number | undefined): string {
  if (seconds === undefined) return 'browser session'
  return seconds > 86_000 ? `${Math.round(seconds / 86_400)} d` : `${Math.round(seconds / 60)} min`
}

function readBody(answer: Answer, normaliser: Normaliser): unknown {
  const type = answer.headers['content-type'] ?? ''
  if (answer.body === '') return ''
  if (type.startsWith('text/event-stream')) return readEvents(answer.body, normaliser)
  if (type.startsWith('image/')) return '<image>'
  if (type.startsWith('application/json')) return readJson(answer.body, normaliser)
  if (type.startsWith('text/html')) return readHtml(answer.body, normaliser)
  if (answer.body.includes('# HELP')) return listMetrics(answer.body)
  return normaliser.text(answer.body)
}

function readJson(text: string, normaliser: Normaliser): unknown {
  try {
    return normaliseJson(JSON.parse(text), normaliser)
  } catch {
    return { notJson: normaliser.text(text) }
  }
}

/**
 * How a stream begins and ends; between the two a spawner may say what it likes.
 * Source: contract rest-api §8.8, where lines that do not start with `data:` are not looked at.
 */
function readEvents(text: string, normaliser: Normaliser): Record<string, unknown> {
  const events = text
    .split('\n')
    .filter((line) => line.startsWith('data:'))
    .map((line) => readJson(line.slice('data:'.length), normaliser))
  if (events.length < 2) return { only: events[0] }
  return { first: events[0], last: events.at(-1) }
}

function readHtml(text: string, normaliser: Normaliser): PageFacts {
  return readPage(text, normaliser)
}

/** The hub's own metrics; their values are of the moment, and `_created` is a habit of Python's client. */
function listMetrics(text: string): string[] {
  const names = text.matchAll(/^# TYPE (jupyterhub_\S+) (\S+)$/gm)
  return [...names]
    .map(([, name = '', type = '']) => `${name} ${type}`)
    .filter((metric) => !metric.endsWith('_created gauge'))
    .sort()
}
