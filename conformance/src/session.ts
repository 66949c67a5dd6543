import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { CookieJar, parseSetCookie } from './cookie-jar.ts'
import { type Answer, ask } from './http-client.ts'
import type { Hub } from './hubs/hub.ts'
import { configuredToken } from './hubs/principals.ts'
import type { Body, Credential, RequestStep, Scenario, Source } from './model.ts'
import { type Capture, capture } from './normalise/capture.ts'
import { fieldValue } from './normalise/html.ts'
import { Normaliser } from './normalise/normaliser.ts'

const answerDeadlineMs = 40_000
const untilDeadlineMs = 40_000

/** What one step gave on one hub. */
export interface StepResult {
  readonly name: string
  readonly expect: number
  readonly isCompared: boolean
  readonly isExpected: boolean
  readonly capture: Capture | { readonly failure: string }
}

/** Runs the steps of one scenario on one hub. */
export class Session {
  readonly #hub: Hub
  readonly #tokens: TokenStore
  readonly #normaliser: Normaliser
  readonly #variables = new Map<string, string>()
  readonly #jars = new Map<string, CookieJar>()
  readonly #pending = new Map<string, Promise<StepResult>>()

  constructor(hub: Hub, tokens: TokenStore) {
    this.#hub = hub
    this.#tokens = tokens
    this.#normaliser = new Normaliser(hub)
    this.#variables.set('origin', hub.origin)
    this.#variables.set('base', hub.baseUrl)
    this.#variables.set('external', hub.externalUrl)
  }

  async run(scenario: Scenario): Promise<StepResult[]> {
    const results: StepResult[] = []
    for (const step of scenario.steps) {
      if (step.kind === 'release') this.#release(step.server)
      else if (step.kind === 'finish') results.push(await this.#finish(step.background))
      else if (step.background === undefined) results.push(await this.#request(step))
      else this.#pending.set(step.background, this.#request(step))
    }
    await Promise.allSettled(this.#pending.values())
    return results
  }

  #release(server: string): void {
    writeFileSync(join(this.#hub.folder, `${server}.go`), '')
  }

  async #finish(background: string): Promise<StepResult> {
    const pending = this.#pending.get(background)
    if (pending === undefined) throw new Error(`No step runs in the background as ${background}`)
    return pending
  }

  async #request(step: RequestStep): Promise<StepResult> {
    const name = step.name ?? `${step.method} ${step.path}${step.as ? ` as ${step.as}` : ''}`
    const shared = { name, expect: step.expect, isCompared: step.isPreparation !== true }
    try {
      const answer = await this.#askUntil(step)
      this.#save(step, answer)
      const isExpected = [step.expect, ...(step.mayBe ?? [])].includes(answer.status)
      return { ...shared, isExpected, capture: capture(answer, this.#normaliser) }
    } catch (error) {
      const failure = error instanceof Error ? error.message : String(error)
      return { ...shared, isExpected: false, capture: { failure } }
    }
  }

  async #askUntil(step: RequestStep): Promise<Answer> {
    const giveUpAt = Date.now() + untilDeadlineMs
    for (;;) {
      const answer = await this.#ask(step)
      if (step.until === undefined || fits(answer, step.until)) return answer
      if (Date.now() > giveUpAt) {
        throw new Error(`still ${answer.status} ${answer.body.slice(0, 200)}`)
      }
      await delay(50)
    }
  }

  async #ask(step: RequestStep): Promise<Answer> {
    const path = this.#path(step.path)
    const jar = step.jar === undefined ? undefined : this.#jar(step.jar)
    const cookie = jar?.header(path) ?? ''
    const { body, type } = encodeBody(step.body, (text) => this.#fill(text))
    const token = await this.#tokens.get(step.as ?? 'anonymous')
    const given = Object.entries(step.headers ?? {})
    const headers = {
      ...(type !== undefined && { 'Content-Type': type }),
      ...(token !== undefined && { Authorization: `token ${token}` }),
      ...(cookie !== '' && { Cookie: cookie }),
      ...Object.fromEntries(given.map(([name, value]) => [name, this.#fill(value)])),
    }
    const { origin } = this.#hub
    const method = step.method
    const answer = await ask({ origin, method, path, headers, body, deadlineMs: answerDeadlineMs })
    for (const header of answer.headers['set-cookie'] ?? []) jar?.store(parseSetCookie(header))
    return answer
  }

  #path(path: string): string {
    const filled = this.#fill(path)
    return filled.startsWith('/') ? filled : `${this.#hub.baseUrl}${filled}`
  }

  #fill(text: string): string {
    return text.replaceAll(/\{\{([^}]+)\}\}/g, (_, name: string) => {
      if (name.startsWith('cookie ')) {
        const [, jar = '', cookie = ''] = name.split(' ')
        return this.#jar(jar).value(cookie) ?? ''
      }
      if (name.startsWith('encoded ')) {
        return encodeURIComponent(this.#variables.get(name.slice('encoded '.length)) ?? '')
      }
      return this.#variables.get(name) ?? ''
    })
  }

  #jar(name: string): CookieJar {
    const jar = this.#jars.get(name) ?? new CookieJar()
    this.#jars.set(name, jar)
    return jar
  }

  #save(step: RequestStep, answer: Answer): void {
    for (const [name, source] of Object.entries(step.save ?? {})) {
      const value = take(source, answer, step.jar === undefined ? undefined : this.#jar(step.jar))
      if (value !== undefined) this.#variables.set(name, value)
    }
  }
}

function take(source: Source, answer: Answer, jar: CookieJar | undefined): string | undefined {
  if ('json' in source) {
    const value = pick(answer.body, source.json)
    return typeof value === 'string' ? value : undefined
  }
  if ('cookie' in source) return jar?.value(source.cookie)
  if ('field' in source) return fieldValue(answer.body, source.field)
  if ('header' in source) return String(answer.headers[source.header] ?? '')
  const location = new URL(answer.headers.location ?? '', 'http://x')
  return location.searchParams.get(source.locationQuery) ?? undefined
}

function fits(answer: Answer, until: NonNullable<RequestStep['until']>): boolean {
  if (until.status !== undefined && answer.status !== until.status) return false
  return until.json === undefined || pick(answer.body, until.json.path) === until.json.equals
}

/** The value at a path of keys such as `servers..ready`, where an empty key is the default server. */
function pick(text: string, path: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  for (const key of path.split('/')) {
    if (typeof value !== 'object' || value === null) return undefined
    value = (value as Record<string, unknown>)[key]
  }
  return value
}

interface Encoded {
  readonly body: string | Buffer | undefined
  readonly type: string | undefined
}

function encodeBody(body: Body | undefined, fill: (text: string) => string): Encoded {
  if (body === undefined) return { body: undefined, type: undefined }
  if ('json' in body) return { body: fill(JSON.stringify(body.json)), type: 'application/json' }
  if ('raw' in body) {
    return { body: typeof body.raw === 'string' ? fill(body.raw) : body.raw, type: body.type }
  }
  if ('multipart' in body) {
    const parts = Object.entries(body.multipart).map(([name, value]) => {
      return `--boundary\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${fill(value)}\r\n`
    })
    return {
      body: `${parts.join('')}--boundary--\r\n`,
      type: 'multipart/form-data; boundary=boundary',
    }
  }
  const form = new URLSearchParams()
  for (const [name, values] of Object.entries(body.form)) {
    for (const value of [values].flat()) form.append(name, fill(value))
  }
  return { body: form.toString(), type: 'application/x-www-form-urlencoded' }
}

/** Tokens for one hub: those of the configuration, and those that scenarios need besides. */
export class TokenStore {
  readonly #hub: Hub
  readonly #made = new Map<string, Promise<string>>()

  constructor(hub: Hub) {
    this.#hub = hub
  }

  /** `undefined` for nobody. */
  async get(credential: Credential): Promise<string | undefined> {
    if (credential === 'anonymous') return undefined
    if (credential === 'stranger') return 'f'.repeat(32)
    const configured = configuredToken(credential)
    if (configured !== undefined) return configured
    const match = /^holds (\S+): (.*)$/.exec(credential)
    if (match === null) throw new Error(`Nobody is called ${credential}`)
    const made = this.#made.get(credential) ?? this.#make(match[1] ?? '', match[2] ?? '')
    this.#made.set(credential, made)
    return made
  }

  async #make(owner: string, scopes: string): Promise<string> {
    const answer = await ask({
      origin: this.#hub.origin,
      method: 'POST',
      path: `${this.#hub.baseUrl}hub/api/users/${owner}/tokens`,
      headers: { Authorization: `token ${configuredToken('admin') ?? ''}` },
      body: JSON.stringify({ scopes: scopes.split(' ').filter((scope) => scope !== '') }),
      deadlineMs: answerDeadlineMs,
    })
    const token = pick(answer.body, 'token')
    if (typeof token === 'string') return token
    throw new Error(`No token for "${scopes}": ${answer.status} ${answer.body.slice(0, 200)}`)
  }
}
