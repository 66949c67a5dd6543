import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { shorten } from '../domain/names.ts'

const slowMs = 1_000
const secretKey = /token|auth|key|code|state|_xsrf/i
const maxLoggedUrl = 500
const maxNesting = 4

/** One line per request: `STATUS METHOD URI (USER@IP) N.NNms`. Source: contract cli-metrics-events §7. */
export function registerAccessLog(app: FastifyInstance, logger: Logger): void {
  app.addHook('onResponse', (request, reply, done) => {
    const elapsed = reply.elapsedTime
    const level = levelFor({ status: reply.statusCode, elapsedMs: elapsed, url: request.url })
    if (logger.isLevelEnabled(level)) {
      const location = reply.getHeader('location')
      const arrow = typeof location === 'string' ? ` -> ${scrubUrl(location)}` : ''
      logger[level](
        `${reply.statusCode} ${request.method} ${scrubUrl(request.url)}${arrow} ` +
          `(${visitor(request)}) ${elapsed.toFixed(2)}ms`,
      )
    }
    done()
  })
}

function levelFor(answer: { status: number; elapsedMs: number; url: string }) {
  const { status, elapsedMs, url } = answer
  const quiet = status === 304 || (status < 300 && /\/(static\/|health|api\/edge\/)/.test(url))
  if (quiet && elapsedMs < slowMs) return 'debug' as const
  if (status < 400) return 'info' as const
  return status < 500 ? ('warn' as const) : ('error' as const)
}

function visitor(request: FastifyRequest): string {
  const { identity } = request
  const name = identity?.principal?.name ?? ''
  return `${shorten(name, 64)}@${identity?.clientIp ?? request.ip}`
}

/**
 * Query values that may be secrets, and values in paths that are, never reach the log; nor do those
 * of a URL inside another's query, such as `next`.
 */
export function scrubUrl(url: string): string {
  return shorten(scrub(url, 0), maxLoggedUrl)
}

function scrub(url: string, depth: number): string {
  const [path = '', query] = url.split(/\?(.*)/s)
  const shownPath = path.replace(/(\/authorizations\/(?:cookie|token)\/).*/, '$1[secret]')
  if (query === undefined) return shownPath
  const shown = query.split('&').map((pair) => {
    const equals = pair.indexOf('=')
    if (equals === -1) return pair
    const key = pair.slice(0, equals)
    if (secretKey.test(decode(key))) return `${key}=[secret]`
    return `${key}=${scrubValue(pair.slice(equals + 1), depth + 1)}`
  })
  return `${shownPath}?${shown.join('&')}`
}

/** A value may be a URL, escaped once more by each URL that it went through. */
function scrubValue(value: string, depth: number): string {
  if (depth > maxNesting) return '[...]'
  const text = decode(value)
  const isUrl = /[?/]/.test(text)
  if (!isUrl && text === value) return value
  const shown = isUrl ? scrub(text, depth) : scrubValue(text, depth + 1)
  return shown === text ? value : encodeURIComponent(shown).replaceAll('%5Bsecret%5D', '[secret]')
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
