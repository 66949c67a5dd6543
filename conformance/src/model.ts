/** What the suite is written in: scenarios of steps. Data only, no behaviour of either hub. */

export type Setup = 'main' | 'variant'

export interface Scenario {
  readonly name: string
  /** The configuration it runs with. */
  readonly setup: Setup
  /** Waits for the hub's own delays: runs beside the other patient ones, after everything else. */
  readonly isPatient?: boolean
  readonly steps: readonly Step[]
}

export type Step = RequestStep | ReleaseStep | FinishStep

/** Who asks: a name of `principals.ts`, `holds([...])`, `anonymous`, or `stranger` with a token nobody has. */
export type Credential = string

export type Body =
  | { readonly json: unknown }
  | { readonly form: Readonly<Record<string, string | readonly string[]>> }
  | { readonly multipart: Readonly<Record<string, string>> }
  | { readonly raw: string | Buffer; readonly type?: string }

export interface RequestStep {
  readonly kind: 'request'
  /** `METHOD path` when left out. */
  readonly name?: string
  readonly method: string
  /** Under the base URL, or from the root of the origin with a leading slash. May hold `{{variables}}`. */
  readonly path: string
  /** The status of the reference; another one there means that the case is wrong. */
  readonly expect: number
  readonly as?: Credential
  /** Cookies are kept under this name for the scenario. */
  readonly jar?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Body
  readonly save?: Readonly<Record<string, Source>>
  /** Asks again until the answer fits; only the last one counts. */
  readonly until?: Readonly<{ status?: number; json?: JsonTest }>
  /** Goes on with the next step; {@link FinishStep} waits for the answer. */
  readonly background?: string
  /** Puts things in place: must succeed, is not compared and not counted. */
  readonly isPreparation?: boolean
  /** Statuses a preparation may have besides `expect`. */
  readonly mayBe?: readonly number[]
  readonly isDirect?: boolean
}

/** Lets a server of the stand-in that waits go on. Its name is `USER` or `USER-SERVER`. */
export interface ReleaseStep {
  readonly kind: 'release'
  readonly server: string
}

export interface FinishStep {
  readonly kind: 'finish'
  readonly background: string
}

/** `pending == null` and the like: a path of keys and the value that ends the waiting. */
export interface JsonTest {
  readonly path: string
  readonly equals: unknown
}

/** Where a variable is taken from. */
export type Source =
  | { readonly json: string }
  | { readonly cookie: string }
  | { readonly header: string }
  /** Value of the first form field of that name. */
  | { readonly field: string }
  /** The query parameter of the `Location`. */
  | { readonly locationQuery: string }

type RequestOptions = Omit<RequestStep, 'kind' | 'method' | 'path' | 'expect'>

/** `request('GET hub/api/users', 200, { as: 'admin' })` */
export function request(line: string, expect: number, options: RequestOptions = {}): RequestStep {
  const at = line.indexOf(' ')
  return {
    kind: 'request',
    method: line.slice(0, at),
    path: line.slice(at + 1),
    expect,
    ...options,
  }
}

/** A request below `hub/api/`. */
export function api(line: string, expect: number, options: RequestOptions = {}): RequestStep {
  return request(line.replace(' ', ' hub/api/'), expect, options)
}

/** Puts something in place as the administrator. */
export function prepare(line: string, json?: unknown, mayBe: readonly number[] = []): RequestStep {
  return api(line, 0, {
    as: 'admin',
    isPreparation: true,
    mayBe: [200, 201, 202, 204, ...mayBe],
    ...(json !== undefined && { body: { json } }),
  })
}

export function release(server: string): ReleaseStep {
  return { kind: 'release', server }
}

export function finish(background: string): FinishStep {
  return { kind: 'finish', background }
}

/** A token of `owner` with exactly these scopes, made when it is first needed. */
export function holds(scopes: string | readonly string[], owner = 'admin'): Credential {
  return `holds ${owner}: ${[scopes].flat().join(' ')}`
}

export function scenario(
  name: string,
  steps: readonly Step[],
  options: { setup?: Setup; isPatient?: boolean } = {},
): Scenario {
  return {
    name,
    setup: options.setup ?? 'main',
    steps,
    ...(options.isPatient === true && { isPatient: true }),
  }
}
