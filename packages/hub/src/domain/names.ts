import { HubError } from './errors.ts'

/** Longest user, group or service name that is accepted. Source: JupyterHub 6.0 database, string(255). */
export const maxNameLength = 255
const serverNamePattern = /^(?=.{1,30}$)[a-z][a-z0-9]*(-[a-z0-9]+)*$/
const displayNamePattern = /^[\p{L}\p{M}\p{N}\p{P}\p{S}]+( [\p{L}\p{M}\p{N}\p{P}\p{S}]+)*$/u

export interface UsernameRules {
  /** Names to rename, by their lower-case form. */
  readonly usernameMap?: Readonly<Record<string, string>>
  /** Must match at the start of the name. Source: JupyterHub 6.0 auth.py, `username_pattern`. */
  readonly usernamePattern?: RegExp | undefined
}

/** Lower-cases, then applies the configured map. */
export function normalizeUsername(name: string, rules: UsernameRules = {}): string {
  const lower = name.toLowerCase()
  const map = rules.usernameMap
  return map !== undefined && Object.hasOwn(map, lower) ? (map[lower] ?? lower) : lower
}

/** Whether a normalised name may become a user: not empty, no slash, no outer white space. */
export function isValidUsername(name: string, rules: UsernameRules = {}): boolean {
  if (name === '' || name.length > maxNameLength || name.includes('/')) return false
  if (name !== name.trim() || hasControlCharacter(name) || isOnlyDots(name)) return false
  return rules.usernamePattern === undefined || matchesAtStart(rules.usernamePattern, name)
}

/**
 * Rule for server names that come into being now; stored names may be older and looser.
 * Source: JupyterHub 6.0 rest-api.yml, `Server.name`.
 * @throws HubError `server_name_invalid`
 */
export function parseNewServerName(name: string): string {
  if (!isNewServerName(name)) {
    throw new HubError('server_name_invalid', {
      message:
        `Invalid server_name: '${shorten(name)}'. Use 1 to 30 lower-case letters, digits and ` +
        'single hyphens, beginning with a letter.',
    })
  }
  return name
}

/** Whether a server that comes into being now may have this name. */
export function isNewServerName(name: string): boolean {
  return serverNamePattern.test(name)
}

/** A valid server name that resembles any text. */
export function toServerName(text: string): string {
  const plain = text.normalize('NFKD').toLowerCase()
  const slug = plain
    .replace(/\p{M}/gu, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
  const named = /^[a-z]/.test(slug) ? slug : `server-${slug}`
  return named.slice(0, 30).replace(/-$/, '')
}

/** @throws HubError `display_name_invalid` unless 1-255 printable characters with single inner spaces */
export function parseDisplayName(name: string): string {
  const normalized = name.normalize('NFC')
  if (Array.from(normalized).length > 255 || !displayNamePattern.test(normalized)) {
    throw new HubError('display_name_invalid', {
      message: `Invalid display_name: '${shorten(name)}'. Use up to 255 printable characters.`,
    })
  }
  return name
}

/** A name for messages and logs: control characters escaped, at most `limit` characters. */
export function shorten(text: string, limit = 1024): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}...` : text
  return cut.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/** `.` and `..` are parts of paths, also when they are escaped. */
function isOnlyDots(name: string): boolean {
  return /^(?:\.|%2e)+$/i.test(name)
}

function hasControlCharacter(text: string): boolean {
  return /\p{Cc}/u.test(text)
}

function matchesAtStart(pattern: RegExp, text: string): boolean {
  return new RegExp(`^(?:${pattern.source})`, pattern.flags.replace(/[gy]/g, '')).test(text)
}
