import type { Target } from '../../target.ts'
import type { ForwardOptions } from '../context.ts'
import type { Peer } from './asker.ts'
import { fieldKind } from './fields.ts'
import type { Fields } from './fields.ts'
import { chunkedLength } from './request-head.ts'
import type { RequestHead } from './request-head.ts'

/** Methods whose requests say that they have no body, for servers that would wait for one. */
const saysLength = new Set(['DELETE', 'OPTIONS', 'POST', 'PUT', 'PATCH'])

const isIdentity = new Uint8Array(32)
for (const kind of [
  'forwardedFor',
  'forwardedPort',
  'forwardedProto',
  'forwardedHost',
  'identity',
] as const) {
  isIdentity[fieldKind[kind]] = 1
}
const isPerConnection = new Uint8Array(32)
for (const kind of [
  'hopByHop',
  'connection',
  'keepAlive',
  'trailer',
  'transferEncoding',
  'upgrade',
  'expect',
] as const) {
  isPerConnection[fieldKind[kind]] = 1
}

/** What a front and its configuration add to requests, prepared once. */
export interface HeadRules {
  readonly options: ForwardOptions
  /** Names of custom fields, in lower case; `undefined` without any. */
  readonly customNames: ReadonlySet<string> | undefined
  readonly customLines: string
  /** Whose `Host` is sent. */
  readonly host: 'client' | 'target' | 'custom'
}

export function createHeadRules(options: ForwardOptions): HeadRules {
  const { customHeaders } = options
  const names = new Set(customHeaders.map(([name]) => name.toLowerCase()))
  return {
    options,
    customNames: names.size === 0 ? undefined : names,
    host: names.has('host') ? 'custom' : options.changeOrigin ? 'target' : 'client',
    customLines: customHeaders.map(([name, value]) => `${name}: ${value}\r\n`).join(''),
  }
}

/**
 * The head of a request for its target. Lines that pass are copied in runs as they are; forwarding
 * fields are appended for a trusted peer and replaced for any other.
 * Hot path: row P9 of the bench.
 * Source: contract proxy §4, §4.1.
 */
export function writeRequestHead(
  rules: HeadRules,
  request: {
    readonly head: RequestHead
    readonly fields: Fields
    readonly path: string
    readonly target: Target
    readonly peer: Peer
  },
): string {
  const { head, fields, target, peer } = request
  const { options, customNames, customLines, host } = rules
  const { text, kind, nameStart } = fields
  const { nominated } = head.connection
  const addsHost = host === 'target' || (host === 'client' && head.host === undefined)
  let out = ''
  let run = 0
  if (addsHost || head.isHttp10 || request.path !== head.target) {
    out = `${head.method} ${request.path} HTTP/1.1\r\n`
    if (addsHost) out += `Host: ${target.host}\r\n`
    run = nameStart[0] ?? 0
  }
  let hasIdentity = false
  for (let i = 0; i < fields.count; i += 1) {
    const is = kind[i] ?? 0
    if (is === fieldKind.other || (is > fieldKind.trailer && passes(is, options, peer))) {
      if (nominated === undefined && customNames === undefined) continue
      const name = fields.name(i)
      if (nominated?.has(name) !== true && customNames?.has(name) !== true) continue
    } else if (is === fieldKind.host) {
      if (host === 'client') continue
    } else if (isIdentity[is] === 1) {
      hasIdentity = true
      if (!options.xForward && customNames?.has(fields.name(i)) !== true) continue
    } else if (is <= fieldKind.trailer && isPerConnection[is] !== 1) continue
    out += text.slice(run, nameStart[i])
    run = nameStart[i + 1] ?? fields.end
  }
  out += text.slice(run, fields.end)
  if (head.bodyLength === chunkedLength) out += 'Transfer-Encoding: chunked\r\n'
  else if (!head.hasContentLength && saysLength.has(head.method)) out += 'Content-Length: 0\r\n'
  if (head.upgrade !== '') out += `Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n`
  if (options.xForward) {
    const own = hasIdentity && peer.isTrusted ? extended(head, fields, peer) : known(head, peer)
    out += customNames === undefined ? own : without(customNames, own)
  }
  return `${out}${customLines}\r\n`
}

/** Whether a field that looks like a forwarding field goes on as it is. */
function passes(kind: number, { xForward }: ForwardOptions, peer: Peer): boolean {
  return !xForward || (kind === fieldKind.forwardedOther && peer.isTrusted)
}

/** Lines but for those whose name is replaced. */
function without(names: ReadonlySet<string>, lines: string): string {
  return lines.replace(/^([^:]+):.*\r\n/gm, (line, name: string) =>
    names.has(name.toLowerCase()) ? '' : line,
  )
}

function protocol(head: RequestHead, peer: Peer): string {
  if (head.upgrade !== '') return peer.isTls ? 'wss' : 'ws'
  return peer.isTls ? 'https' : 'http'
}

function port(head: RequestHead, peer: Peer): string {
  const host = head.host ?? ''
  const colon = host.lastIndexOf(':')
  const given = colon === -1 || host.endsWith(']') ? '' : host.slice(colon + 1)
  return given === '' ? (peer.isTls ? '443' : '80') : given
}

/** Forwarding fields when nobody is believed: all requests of a connection get the same. */
function known(head: RequestHead, peer: Peer): string {
  if (head.upgrade !== '') return fresh(head, peer)
  const { forwarding } = peer
  if (forwarding !== undefined && forwarding.host === head.host) return forwarding.lines
  const lines = copyOf(fresh(head, peer))
  peer.forwarding = { host: head.host === undefined ? undefined : copyOf(head.host), lines }
  return lines
}

/** A part of a text keeps all of it in memory. */
function copyOf(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

function fresh(head: RequestHead, peer: Peer): string {
  let out = `X-Forwarded-For: ${peer.address}\r\nX-Forwarded-Port: ${port(head, peer)}\r\n`
  out += `X-Forwarded-Proto: ${protocol(head, peer)}\r\n`
  if (head.upgrade === '' && head.host !== undefined && head.host !== '') {
    out += `X-Forwarded-Host: ${head.host}\r\n`
  }
  return out
}

/** Forwarding fields behind those that a trusted peer sent. */
function extended(head: RequestHead, fields: Fields, peer: Peer): string {
  const append = (name: string, item: string): string => {
    const known = fields.find(name.toLowerCase())
    return `${name}: ${known === undefined || known === '' ? item : `${known},${item}`}\r\n`
  }
  let out = append('X-Forwarded-For', peer.address)
  out += append('X-Forwarded-Port', port(head, peer))
  out += append('X-Forwarded-Proto', protocol(head, peer))
  const host = fields.find('x-forwarded-host') || (head.upgrade === '' ? head.host : '')
  if (host !== undefined && host !== '') out += `X-Forwarded-Host: ${host}\r\n`
  for (const name of ['X-Scheme', 'X-Real-Ip', 'Forwarded']) {
    const value = fields.find(name.toLowerCase())
    if (value !== undefined && value !== '') out += `${name}: ${value}\r\n`
  }
  return out
}
