import { createHash } from 'node:crypto'
import { domainToASCII, domainToUnicode } from 'node:url'

/** How host names are made of names. */
export type SubdomainHook = 'idna' | 'legacy'

/** A host for each user and service, below the host of the hub. */
export interface Subdomains {
  /** Host name of the hub, without port. */
  readonly domain: string
  /** `ada.hub.example`; the host part of the user's routes. */
  userHost(username: string): string
  serviceHost(name: string): string
  /** `https://ada.hub.example:8443` */
  userOrigin(username: string): string
  serviceOrigin(name: string): string
}

export interface SubdomainOptions {
  /** `JupyterHub.subdomain_host`: gives scheme, port, and the domain of services. */
  readonly host: URL
  readonly hook: SubdomainHook
  /** Fixes the hub's host name, and with it that of the users. */
  readonly publicUrl?: URL | undefined
}

/** Source: contract single-user-and-services §11; JupyterHub 6.1 user.py, `host`. */
export function createSubdomains({ host, hook, publicUrl }: SubdomainOptions): Subdomains {
  const domain = (publicUrl ?? host).hostname
  const port = host.port === '' ? '' : `:${host.port}`
  const origin = (name: string) => `${host.protocol}//${name}${port}`
  const hostOf = hook === 'idna' ? idnaHost : legacyHost
  const userHost = (username: string) => hostOf(username, domain, 'user')
  const serviceHost = (name: string) => hostOf(name, host.hostname, 'service')
  return {
    domain,
    userHost,
    serviceHost,
    userOrigin: (username) => origin(userHost(username)),
    serviceOrigin: (name) => origin(serviceHost(name)),
  }
}

type Kind = 'user' | 'service'

/** A DNS label for any name; services carry a suffix, so that no user can take their host. */
function idnaHost(name: string, domain: string, kind: Kind): string {
  const suffix = kind === 'user' ? '' : `--${kind}`
  return `${toDnsLabel(name)}${suffix}.${domain}`.toLowerCase()
}

/** Users at an escaped name, all services on one host. */
function legacyHost(name: string, domain: string, kind: Kind): string {
  if (kind === 'service') return `services.${domain}`
  const bytes = Buffer.from(name.toLowerCase(), 'utf8')
  const label = [...bytes].map((byte) => {
    const character = String.fromCharCode(byte)
    return /[a-z0-9.-]/.test(character) ? character : `_${byte.toString(16).padStart(2, '0')}`
  })
  return `${label.join('')}.${domain}`
}

/**
 * The name itself where it is a label, its IDNA form where it has one, else some of its letters and
 * a hash. Names with `--` always take the hash: no name can pass for the label of another.
 */
function toDnsLabel(name: string): string {
  if (name.includes('--')) return hashedLabel(name)
  if (isDnsLabel(name)) return name
  const ascii = isInternational(name) ? domainToASCII(name) : ''
  // Names that change on the way could meet another's; those take the hash.
  if (ascii !== '' && domainToUnicode(ascii) === name && isDnsLabel(ascii)) return ascii
  return hashedLabel(name)
}

function isDnsLabel(label: string): boolean {
  return /^(?!-)[a-z0-9-]{1,63}$/i.test(label) && !label.endsWith('-') && !/^\d+$/.test(label)
}

/** Letters, marks and digits of any script, as IDNA 2008 has them; no symbols. */
function isInternational(name: string): boolean {
  return /^[\p{L}\p{M}\p{Nd}-]+$/u.test(name) && name.normalize('NFC') === name
}

function hashedLabel(name: string): string {
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 7)
  const safe = name.toLowerCase().replace(/[^a-z0-9]/g, '')
  return `u-${safe.slice(0, 8) || 'x'}--${hash}`
}
