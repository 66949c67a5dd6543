import {
  api,
  type Body,
  holds,
  prepare,
  type RequestStep,
  type Scenario,
  scenario,
} from '../model.ts'

/**
 * One endpoint. From each row come the requests of everybody who may ask: nobody, a token that does not exist, a
 * token without scopes, one with another scope, one whose scope is for another resource, one whose scope covers
 * just this resource, one with the scope as such; then the same for a resource that is not there, and bad bodies.
 */
export interface Row {
  readonly line: string
  readonly scope: string
  /** `undefined` where the path names no resource. */
  readonly filter?: string
  /** Of another resource of the same kind. */
  readonly elsewhere: string
  readonly ok: number
  readonly body?: unknown
  /** Brings the resource into the state the request needs; runs before every request that may succeed. */
  readonly setUp?: readonly RequestStep[]
  /** The same request for something that does not exist, with the answer to the right scope. */
  readonly missing?: readonly [line: string, status: number]
  /** Statuses that do not follow from the rules. */
  readonly but?: Readonly<Partial<Record<Who, number>>>
  readonly bodies?: readonly BadBody[]
  /** Leaves the requests that would succeed out. */
  readonly isNeverDone?: boolean
}

export type BadBody = readonly [name: string, body: Body, status: number]
type Who =
  | 'anonymous'
  | 'stranger'
  | 'no scopes'
  | 'wrong scope'
  | 'elsewhere'
  | 'covering'
  | 'right'

const denied: readonly Who[] = ['anonymous', 'stranger', 'no scopes', 'wrong scope', 'elsewhere']

export function matrix(rows: readonly Row[]): Scenario[] {
  return rows.map((row) => scenario(`matrix: ${row.line}`, toSteps(row)))
}

function toSteps(row: Row): RequestStep[] {
  const allowed: readonly Who[] =
    row.isNeverDone === true ? [] : row.filter === undefined ? ['right'] : ['covering', 'right']
  return [
    ...(row.setUp ?? []),
    ...denied.map((who) => ask(row, who)),
    ...allowed.flatMap((who) => [...(row.setUp ?? []), ask(row, who)]),
    ...missingSteps(row),
    ...(row.bodies ?? []).flatMap(([name, body, status]) => [
      ...(row.setUp ?? []),
      api(row.line, status, { name: `body: ${name}`, as: holds(row.scope), body }),
    ]),
  ]
}

function ask(row: Row, who: Who): RequestStep {
  const body = row.body === undefined ? {} : { body: { json: row.body } }
  return api(row.line, row.but?.[who] ?? statusOf(row, who), {
    name: who,
    as: credentialOf(row, who),
    ...body,
  })
}

function statusOf(row: Row, who: Who): number {
  if (who === 'covering' || who === 'right') return row.ok
  return who === 'elsewhere' && row.filter !== undefined ? 404 : 403
}

function credentialOf(row: Row, who: Who): string {
  switch (who) {
    case 'anonymous':
    case 'stranger':
      return who
    case 'no scopes':
      return holds([])
    case 'wrong scope':
      return holds(row.scope === 'read:hub' ? 'proxy' : 'read:hub')
    case 'elsewhere':
      return holds(`${row.scope}!${row.elsewhere}`)
    case 'covering':
      return holds(`${row.scope}!${row.filter ?? ''}`)
    case 'right':
      return holds(row.scope)
  }
}

function missingSteps(row: Row): RequestStep[] {
  if (row.missing === undefined) return []
  const [line, status] = row.missing
  const body = row.body === undefined ? {} : { body: { json: row.body } }
  const options = { ...body, name: 'missing' }
  return [
    api(line, status, { ...options, as: holds(row.scope) }),
    api(line, 404, {
      ...options,
      name: 'missing, elsewhere',
      as: holds(`${row.scope}!${row.elsewhere}`),
    }),
  ]
}

/** A user of that name, there or not. */
export function user(name: string): RequestStep {
  return prepare(`POST users/${name}`, undefined, [409])
}

export const notJson: BadBody = ['not JSON', { raw: '{not json' }, 400]

export function json(name: string, value: unknown, status = 400): BadBody {
  return [name, { json: value }, status]
}
