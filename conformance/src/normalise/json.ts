import type { Normaliser } from './normaliser.ts'

/** Lists whose order neither hub promises. */
const unordered: ReadonlySet<string> = new Set(['scopes', 'roles', 'groups', 'users'])

/** Keys whose value says something about the machine or the program, not about the protocol. */
const described: ReadonlySet<string> = new Set(['version', 'python', 'sys_executable'])

/** Parts of messages that clients look for; all other wording is free. Source: contract rest-api §4. */
const fragments = [
  'Missing or invalid credentials',
  'requires any of [',
  'No access to resources or resources not found',
  "'_xsrf' argument missing from",
  'XSRF cookie does not match',
  'must not exceed',
  'Not assigning requested scopes',
  'Can not create managed service',
  'is not modifiable at runtime',
  'Invalid username',
  'Invalid server_name',
  'Invalid display_name',
  'No such server',
  'already has the maximum of',
  'Server requested',
  'Spawning server...',
  'Server ready at',
  'Spawn failed',
  'Spawn cancelled',
  'JupyterHub server no longer running at',
] as const

/** A JSON value with volatile parts replaced. `key` is the one it was found under. */
export function normaliseJson(value: unknown, normaliser: Normaliser, key = ''): unknown {
  if (Array.isArray(value)) return normaliseList(value, normaliser, key)
  if (typeof value === 'object' && value !== null) {
    // What a spawner keeps is its own affair; that there is something is not.
    if (key === 'state' && Object.keys(value).length > 0) return '<state>'
    return normaliseObject(value, normaliser)
  }
  if (typeof value === 'number' && key === 'pid' && value > 0) return '<pid>'
  return typeof value === 'string' ? normaliseText(value, normaliser, key) : value
}

function normaliseList(list: readonly unknown[], normaliser: Normaliser, key: string): unknown[] {
  const items = list.map((item) => normaliseJson(item, normaliser))
  const isTexts = items.every((item) => typeof item === 'string')
  return unordered.has(key) && isTexts ? items.sort() : items
}

function normaliseObject(object: object, normaliser: Normaliser): Record<string, unknown> {
  const entries = Object.entries(object).map(([key, item]: [string, unknown]) => {
    return [normaliser.text(key), normaliseJson(item, normaliser, key)] as const
  })
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function normaliseText(text: string, normaliser: Normaliser, key: string): string {
  if (described.has(key)) return '<text>'
  if (key.startsWith('JUPYTERHUB_') && text.startsWith('['))
    return normaliseJsonText(text, normaliser)
  if (key === 'scope') return text.split(' ').sort().join(' ')
  if (key === 'token' || key === 'access_token' || key === 'JUPYTERHUB_API_TOKEN')
    return normaliser.name('token', text)
  if (key === 'code') return normaliser.name('code', text)
  if ((key === 'id' || key === 'token_id') && /^a\d+$/.test(text)) {
    return normaliser.name('token-id', text)
  }
  if (key === 'id' && /^sc_\d+$/.test(text)) return normaliser.name('share-code-id', text)
  if (key === 'session_id') return normaliser.name('session', text)
  if (key === 'message' || key === 'error_description') return normaliseMessage(text, normaliser)
  return normaliser.text(text)
}

/** A list inside an environment variable. */
function normaliseJsonText(text: string, normaliser: Normaliser): string {
  try {
    return JSON.stringify(normaliseJson(JSON.parse(text), normaliser, 'scopes'))
  } catch {
    return normaliser.text(text)
  }
}

/** The fragment that clients look for, with the scopes where they are listed; else just that there is a text. */
export function normaliseMessage(text: string, normaliser: Normaliser): string {
  const fragment = fragments.find((part) => text.includes(part))
  if (fragment === undefined) return '<text>'
  const list = /requires any of \[([^\]]*)\]/.exec(text)?.[1]
  if (list === undefined) return `${normaliser.text(fragment)} …`
  const scopes = list.split(',').map((scope) => scope.trim())
  return `requires any of [${scopes.sort().join(', ')}]`
}
