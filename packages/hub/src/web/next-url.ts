const maxNextLength = 8192

/** What a `next` is judged against. */
export interface NextContext {
  /** Own origin as the browser sees it. */
  readonly protocol: string
  readonly host: string
  /** Host that users' servers are below, when they have hosts of their own. */
  readonly subdomainHost?: string | undefined
}

/**
 * A `next` that stays on the hub's own origin, as path, query and fragment; `''` for anything else.
 * Source: contract pages-and-urls §3.1. Differs from JupyterHub: a value with control characters or
 * white space other than blanks is discarded, since browsers drop some of it before they look for a host.
 */
export function validateNextUrl(next: string | undefined, context: NextContext): string {
  if (next === undefined || next.length > maxNextLength) return ''
  let url = next
    .trim()
    .replaceAll('\\', '%5C')
    .replace(/^\/{3,}/, '//')
  if (/[^\S ]|\p{Cc}/u.test(url)) return ''
  url = withoutOwnOrigin(url, context) ?? url
  if (!url.startsWith('/') || url.startsWith('//')) return ''
  return toAscii(url)
}

/** Targets in the order of the contract, and what of the query goes with them. */
export interface NextTargets {
  /** Already validated; `''` when absent. */
  readonly next: string
  readonly pageDefault?: string | undefined
  readonly defaultUrl?: string | undefined
  readonly redirectToServer: boolean
  /** URL of the default server if it is active. */
  readonly activeServerUrl?: string | undefined
  readonly hubPrefix: string
  /** Query of the current request, without `?`. */
  readonly query: string
}

/** Where to go after login, spawn or from the root. Source: contract pages-and-urls §3.2. */
export function chooseNextUrl(targets: NextTargets): string {
  if (targets.next !== '') return targets.next
  const landing = targets.redirectToServer
    ? (targets.activeServerUrl ?? `${targets.hubPrefix}spawn`)
    : `${targets.hubPrefix}home`
  const target = [targets.pageDefault, targets.defaultUrl].find((url) => url) ?? landing
  return appendQuery(target, targets.query)
}

/** Appends query parameters other than `next` and `_xsrf`; blank ones are lost, as in the reference. */
export function appendQuery(url: string, query: string): string {
  const entries = [...new URLSearchParams(query)].filter(
    ([name, value]) => name !== 'next' && name !== '_xsrf' && value !== '',
  )
  const kept = new URLSearchParams(entries)
  const added = kept.toString()
  if (added === '') return url
  const hashAt = url.indexOf('#')
  const [base, hash] = hashAt === -1 ? [url, ''] : [url.slice(0, hashAt), url.slice(hashAt)]
  return `${base}${base.includes('?') ? '&' : '?'}${added}${hash}`
}

/** Path, query and fragment of an absolute or scheme-relative URL of ours; `undefined` for others. */
function withoutOwnOrigin(url: string, context: NextContext): string | undefined {
  const match = /^(?:([a-z][a-z0-9+.-]*):)?\/\/([^/?#]*)([^?#]*)(.*)$/i.exec(url)
  if (match === null) return undefined
  const [, scheme, host = '', path = '', rest = ''] = match
  const isOwn =
    host === context.host && (scheme === undefined || scheme.toLowerCase() === context.protocol)
  if (!isOwn && !isBelow(host, scheme, context.subdomainHost)) return undefined
  return `/${path.replace(/^\/+/, '')}${rest}`
}

function isBelow(host: string, scheme: string | undefined, parent: string | undefined): boolean {
  if (parent === undefined || (scheme !== undefined && !/^https?$/i.test(scheme))) return false
  return /^[\w.:-]+$/.test(host) && (host === parent || host.endsWith(`.${parent}`))
}

/** `Location` is ASCII: other characters become the percent-encoded UTF-8 that browsers send. */
function toAscii(url: string): string {
  return url.replace(/[^\x21-\x7e]+/g, (text) => encodeURIComponent(text.toWellFormed()))
}
