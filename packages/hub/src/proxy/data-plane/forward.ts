import { cutPrefix, decodePath, parseRequestTarget } from '../request-target.ts'
import type { RequestTarget } from '../request-target.ts'
import { hostSegment } from '../routespec.ts'
import type { Route } from '../route.ts'
import type { Target } from '../target.ts'
import type { EdgeContext, ForwardOptions } from './context.ts'
import type { Asker, Peer } from './http1/asker.ts'
import type { Opened } from './http1/front-services.ts'
import { Exchange } from './http1/exchange.ts'
import type { ExchangeHooks } from './http1/exchange.ts'
import type { Fields } from './http1/fields.ts'
import { refusalOf } from './http1/local-answer.ts'
import type { RequestHead } from './http1/request-head.ts'
import type { RequestLimits } from './limits/request-limits.ts'
import type { EdgeCounts, TimedName } from './metrics/counts.ts'
import type { PluginStore } from './storage/plugin-store.ts'
import { createHeadRules, writeRequestHead } from './http1/request-writer.ts'
import type { HeadRules } from './http1/request-writer.ts'

/** A request together with where it goes. */
export interface Forwarding {
  readonly route: Route
  readonly target: Target
  readonly path: RequestTarget
  /** Decoded path of the route without the host segment. */
  readonly prefix: string
}

export interface Forwarder {
  readonly context: EdgeContext
  readonly rules: HeadRules
  readonly hooks: ExchangeHooks
  readonly limits: RequestLimits
  readonly find: (context: EdgeContext, head: RequestHead) => Located
}

/** Where a request goes, or the status of why it goes nowhere. */
export type Located = Forwarding | 400 | 404 | 500

export function createForwarder(
  context: EdgeContext,
  parts: Pick<ExchangeHooks, 'pool' | 'tunnels' | 'stallMs'> & { readonly limits: RequestLimits },
): Forwarder {
  const { pool, tunnels, stallMs, limits } = parts
  const { table, options, log, counts, hasMetrics, pluginStore } = context
  const touch = (route: Route): void => table.touch(route, Date.now())
  const onActivity = hasMetrics ? timed(counts, 'activity', touch) : touch
  const hooks: ExchangeHooks = {
    pool,
    tunnels,
    proxyTimeoutMs: options.proxyTimeoutMs,
    stallMs,
    counts,
    // It measures by itself.
    onActivity: pluginStore === undefined ? onActivity : (route) => pluginStore.touch(route),
    onFailure: ({ request }, error) => {
      const { route, head, isHub } = request
      counts.answered('proxied', 503)
      log('warn', `503 ${head.slice(0, head.indexOf(' '))} ${route.path}: ${error.message}`)
      return { code: 503, isHubDown: isHub }
    },
  }
  const find = hasMetrics ? timed(counts, 'findTarget', findForwarding) : findForwarding
  return { context, rules: createHeadRules(options), hooks, limits, find }
}

function timed<A extends unknown[], R>(
  counts: EdgeCounts,
  name: TimedName,
  work: (...args: A) => R,
): (...args: A) => R {
  return (...args) => {
    const beganAt = performance.now()
    const result = work(...args)
    counts.took(name, performance.now() - beganAt)
    return result
  }
}

const healthPath = '/_chp_healthz'
const healthz: Opened = {
  kind: 'answer',
  answer: {
    status: 200,
    headers: [['Content-Type', 'application/json']],
    body: Buffer.from('{"status":"OK"}'),
  },
}
const badRequest: Opened = {
  kind: 'answer',
  answer: refusalOf(400),
}
const cut: Opened = { kind: 'cut' }
const failures = {
  404: { kind: 'failure', failure: { code: 404, isHubDown: false } },
  500: { kind: 'failure', failure: { code: 500, isHubDown: false } },
} as const satisfies Record<number, Opened>

/** Methods that may be sent twice with the same effect. Source: RFC 9110 §9.2.2. */
const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE'])

/**
 * Finds where a request goes and makes its exchange with the target, for any front. Hot path: row P9
 * of the bench.
 */
export function openExchange(
  forwarder: Forwarder,
  request: {
    readonly head: RequestHead
    readonly fields: Fields
    readonly peer: Peer
    readonly asker: Asker
    /** What {@link locate} found; looked up in the table unless given. */
    readonly located?: Located
  },
): Opened {
  const { context, rules, hooks, limits, find } = forwarder
  const { head, fields, peer, asker } = request
  const { counts } = context
  if (head.target === healthPath) return healthz
  const isUpgrade = head.upgrade !== ''
  counts.count(isUpgrade ? 'webSocket' : 'web')
  // Bytes of a body would be taken for those of the other protocol.
  if (isUpgrade && (head.method !== 'GET' || head.bodyLength !== 0)) return cut
  const found = request.located ?? find(context, head)
  if (found === 400) return badRequest
  if (typeof found === 'number') {
    counts.answered('proxied', found)
    if (context.logsRequests) context.log('debug', `${found} ${head.method} ${bare(head.target)}`)
    return failures[found]
  }
  const { route, target } = found
  const { options } = context
  if (context.logsRequests) {
    const kind = isUpgrade ? 'WS' : 'WEB'
    context.log('debug', `PROXY ${kind} ${bare(head.target)} to ${route.entry.targetUrl}`)
  }
  const isHub = isHubRoute(route)
  const verdict = limits.isOff ? undefined : limits.check(request, route, isHub)
  if (verdict?.kind === 'refused') {
    counts.refused(verdict.limit)
    return { kind: 'answer', answer: verdict.answer }
  }
  const path = upstreamPath(found, options)
  const hasBody = head.bodyLength !== 0
  const exchange = new Exchange(
    {
      route,
      isHub,
      target,
      head: writeRequestHead(rules, { head, fields, path, target, peer }),
      isHead: head.method === 'HEAD',
      hasBody,
      canRepeat: !hasBody && idempotent.has(head.method),
      isUpgrade,
      isWebSocket: isUpgrade && head.upgrade.toLowerCase() === 'websocket',
      release: verdict?.release,
    },
    asker,
    hooks,
  )
  const isRewriting = options.autoRewrite || options.protocolRewrite !== undefined
  return {
    kind: 'exchange',
    exchange,
    rewrite: isRewriting ? rewriter(found, head, options) : undefined,
    maxBodyBytes: verdict?.maxBodyBytes ?? 0,
  }
}

/** Queries hold secrets, and do not belong into a log. */
function bare(target: string): string {
  return target.split('?', 1)[0] ?? ''
}

/** What is known now: the route may be gone when its target fails. */
function isHubRoute({ entry, owner, path }: Route): boolean {
  return entry.isHub || (path === '/' && owner !== 'api')
}

function findForwarding(context: EdgeContext, head: RequestHead): Located {
  const asked = readAsked(context, head)
  if (typeof asked === 'number') return asked
  return toForwarding(context.table.match(asked.decoded, asked.host), asked)
}

/**
 * Finds where a request goes in the store of a plug-in; never rejects.
 * Source: contract proxy §11, `getTarget`.
 */
export async function locate(
  context: EdgeContext & { readonly pluginStore: PluginStore },
  head: RequestHead,
): Promise<Located> {
  // It is answered whatever the plug-in does.
  if (head.target === healthPath) return 404
  const asked = readAsked(context, head)
  if (typeof asked === 'number') return asked
  const { decoded, host } = asked
  try {
    const path = host === undefined ? decoded : `/${host}${decoded}`
    return toForwarding(await context.pluginStore.match(path), asked)
  } catch {
    return 500 // it was logged
  }
}

interface Asked {
  readonly path: RequestTarget
  readonly decoded: string
  /** With host routing. */
  readonly host: string | undefined
}

function readAsked({ options }: EdgeContext, head: RequestHead): Asked | 400 | 404 | 500 {
  const path = parseRequestTarget(head.target)
  if (path === undefined) return 400
  const decoded = decodePath(path.path)
  if (decoded === undefined) return 500
  const host = options.hostRouting ? hostSegment(head.host) : undefined
  if (options.hostRouting && host === undefined) return 404
  return { path, decoded, host }
}

function toForwarding(route: Route | undefined, { path, host }: Asked): Located {
  if (route === undefined) return 404
  const { target } = route.entry
  if (target === undefined) return 500
  const prefix =
    host !== undefined && route.path !== '/' ? route.path.slice(host.length + 1) || '/' : route.path
  return { route, target, path, prefix }
}

function upstreamPath(forwarding: Forwarding, options: ForwardOptions): string {
  const { target, path, prefix } = forwarding
  const own = options.includePrefix ? path.path : cutPrefix(path.path, prefix)
  const before = options.prependPath ? target.path : ''
  if (target.query.length < 2) return `${before}${own}${path.query.length < 2 ? '' : path.query}`
  const query = [target.query.slice(1), path.query.slice(1)].filter((part) => part !== '').join('&')
  return `${before}${own}?${query}`
}

/** Source: contract proxy §4, `Location`. */
function rewriter(
  { target }: Forwarding,
  head: RequestHead,
  options: ForwardOptions,
): (location: string, status: number) => string {
  return (location, status) => {
    if (![201, 301, 302, 307, 308].includes(status)) return location
    if (!URL.canParse(location) || new URL(location).host !== target.host) return location
    const url = new URL(location)
    if (options.autoRewrite && head.host !== undefined) {
      url.port = ''
      url.host = head.host
    }
    if (options.protocolRewrite !== undefined) url.protocol = options.protocolRewrite
    return url.href
  }
}
