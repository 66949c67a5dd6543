import type { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'

/** A name that a certificate is for. */
export interface AltName {
  readonly type: 'dns' | 'ip'
  /** Host names in lower case. */
  readonly value: string
}

/** Names of this machine for itself. */
export const localNames: readonly AltName[] = [
  { type: 'ip', value: '127.0.0.1' },
  { type: 'ip', value: '::1' },
  { type: 'dns', value: 'localhost' },
]

const maxNameLength = 253

/**
 * `DNS:host`, `IP:address`, or either without the prefix. The other kinds that X.509 knows mean
 * nothing to whoever connects, so that they are refused.
 * @returns `undefined` for what is none
 */
export function parseAltName(text: string): AltName | undefined {
  const [, prefix = '', rest = ''] = /^(?:(DNS|IP):)?(.*)$/is.exec(text.trim()) ?? []
  if (rest.includes('%')) return undefined // a zone means something on one machine only
  const kind = prefix.toLowerCase()
  if (isIP(rest) !== 0) return kind === 'dns' ? undefined : { type: 'ip', value: shortIp(rest) }
  const isHostName = /^(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?$/i.test(rest)
  if (kind === 'ip' || !isHostName || rest.length > maxNameLength) return undefined
  return { type: 'dns', value: rest.toLowerCase() }
}

/** As `0:0:0:0:0:0:0:1` is written today. */
function shortIp(ip: string): string {
  return isIP(ip) === 6 ? new URL(`http://[${ip}]`).hostname.slice(1, -1) : ip
}

/** The host of a URL, or an address as options have it; `undefined` for one that listens anywhere. */
export function altNameOfHost(host: string): AltName | undefined {
  const plain = host.replace(/^\[|\]$/g, '')
  return plain === '0.0.0.0' || plain === '::' ? undefined : parseAltName(plain)
}

/** Without repetitions, in the order of the first mention. */
export function uniqueNames(names: readonly AltName[]): AltName[] {
  return [...new Map(names.map((name) => [`${name.type}:${name.value}`, name])).values()]
}

/** Names that the certificate is for, as far as they are of our kinds. */
export function namesOf(certificate: X509Certificate): AltName[] {
  return (certificate.subjectAltName ?? '').split(', ').flatMap((entry): AltName[] => {
    const [type, value = ''] = entry.split(/:(.*)/s)
    const name = type === 'DNS' || type === 'IP Address' ? parseAltName(value) : undefined
    return name === undefined ? [] : [name]
  })
}

export function hasName(certificate: X509Certificate, { type, value }: AltName): boolean {
  if (type === 'ip') return certificate.checkIP(value) !== undefined
  return namesOf(certificate).some((name) => name.type === 'dns' && name.value === value)
}
