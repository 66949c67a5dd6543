import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify'
import { createPrincipals } from '../access/principals.ts'
import { createScopeRules } from '../access/rbac-rules.ts'
import type { Share, User } from '../domain/records.ts'
import { putRole } from '../storage/access.ts'
import { putOAuthClient } from '../storage/oauth.ts'
import { openStore } from '../storage/open.ts'
import { ensureServer } from '../storage/servers.ts'
import { grantShare } from '../storage/shares.ts'
import type { Store } from '../storage/store.ts'
import { hashToken } from '../storage/token-hash.ts'
import { createUser } from '../storage/users.ts'
import { parseCookies } from '../web/cookies.ts'
import { Sessions } from '../web/identify.ts'
import { pageSettings } from '../web/settings-test-kit.ts'
import { signInFor } from '../web/sign-in-test-kit.ts'
import { registerOAuth } from './routes.ts'

export const secret = 'a'.repeat(32)
export const verifier = 'v'.repeat(43)
export const challenge = createHash('sha256').update(verifier).digest('base64url')

export interface TestProvider {
  readonly app: FastifyInstance
  readonly store: Store
  readonly principals: ReturnType<typeof createPrincipals>
  readonly clock: { now: Date }
  addUser(name: string): Promise<User>
  /** The user's default server with its OAuth client. */
  addServer(owner: User, allowedScopes?: readonly string[]): Promise<{ id: number; client: string }>
  share(serverId: number, owner: User, to: { userId: number } | { groupId: number }): Promise<Share>
  /** A browser in which the user has just signed in. */
  browser(user: User): Promise<TestBrowser>
  token(
    fields: Record<string, string>,
    headers?: Record<string, string>,
  ): Promise<LightMyRequestResponse>
  close(): Promise<void>
}

export interface TestBrowser {
  readonly cookies: Map<string, string>
  authorize(fields: Record<string, string>): Promise<LightMyRequestResponse>
  /** Submits the form of a confirmation page. */
  confirm(fields: Record<string, string>, page: string): Promise<LightMyRequestResponse>
}

/** The provider over a real store, principals, scopes and sessions. */
export async function startTestProvider(
  options: {
    requirePkce?: boolean
    tokenExpiresInSeconds?: number
    loginUrl?: (next: string) => string | undefined
  } = {},
): Promise<TestProvider> {
  const folder = await mkdtemp(join(tmpdir(), 'orrery-oauth-'))
  const store = await openStore({ url: 'sqlite:///hub.sqlite', directory: folder })
  await store.write((tx) => putRole(tx, { name: 'user', description: '', scopes: ['self'] }))
  const clock = { now: new Date('2030-01-01T00:00:00Z') }
  const now = () => clock.now
  const rules = createScopeRules(new Map())
  const principals = createPrincipals({ store, rules, now })
  const config = {
    baseUrl: '/',
    hubPrefix: '/hub/',
    cookieSecret: Buffer.alloc(32, 7),
    cookieMaxAgeDays: 14,
    cookieHostPrefix: false,
    trustedDownstreamIps: [],
    now,
  }
  const app = Fastify()
  await registerOAuth(app, {
    store,
    principals,
    rules,
    sessions: new Sessions(config, principals, store),
    settings: { ...config, ...pageSettings },
    tokenExpiresInSeconds: options.tokenExpiresInSeconds ?? 1_209_600,
    requirePkce: options.requirePkce ?? false,
    ...(options.loginUrl !== undefined && { loginUrl: options.loginUrl }),
    now,
  })
  return {
    app,
    store,
    principals,
    clock,
    addUser: (name) => store.write((tx) => createUser(tx, { name }, now())),
    addServer: (owner, allowedScopes = []) =>
      addServer(store, { owner, allowedScopes, now: now() }),
    share: (serverId, owner, to) => share(store, { serverId, owner, to, now: now() }),
    browser: async (user) => {
      const signing = { cookieSecret: config.cookieSecret, name: loginCookie, now: now() }
      return createBrowser(app, await signInFor(store, user, signing))
    },
    token: (fields, headers = {}) =>
      app.inject({
        method: 'POST',
        url: '/hub/api/oauth2/token',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        payload: new URLSearchParams(fields).toString(),
      }),
    async close() {
      await app.close()
      principals.close()
      await store.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const loginCookie = 'jupyterhub-hub-login'
async function addServer(
  store: Store,
  input: { owner: User; allowedScopes: readonly string[]; now: Date },
): Promise<{ id: number; client: string }> {
  const { owner, now } = input
  const client = `jupyterhub-user-${owner.name}`
  const id = await store.write(async (tx) => {
    const server = { userId: owner.id, name: '', displayName: null }
    const { id } = await ensureServer(tx, server, now)
    await putOAuthClient(tx, {
      id: client,
      description: `Server at /user/${owner.name}/`,
      secretHash: hashToken(secret),
      redirectUri: `/user/${owner.name}/oauth_callback`,
      allowedScopes: [...input.allowedScopes, `access:servers!server=${owner.name}/`],
      serverId: id,
      serviceId: null,
    })
    return id
  })
  return { id, client }
}

async function share(
  store: Store,
  input: {
    serverId: number
    owner: User
    to: { userId: number } | { groupId: number }
    now: Date
  },
): Promise<Share> {
  const { serverId, owner, to, now } = input
  const recipient =
    'userId' in to
      ? ({ kind: 'user', id: to.userId } as const)
      : ({ kind: 'group', id: to.groupId } as const)
  const server = { id: serverId, ownerId: owner.id }
  return store.write((tx) => grantShare(tx, { server, recipient, scopes: ['access:servers'], now }))
}

function createBrowser(
  app: FastifyInstance,
  login: { value: string; sessionId: string },
): TestBrowser {
  const cookies = new Map([
    [loginCookie, `"${login.value}"`],
    ['jupyterhub-session-id', login.sessionId],
  ])
  const url = (fields: Record<string, string>) =>
    `/hub/api/oauth2/authorize?${new URLSearchParams(fields).toString()}`
  const header = () => [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  const remember = (response: LightMyRequestResponse) => {
    for (const text of [response.headers['set-cookie'] ?? []].flat()) {
      for (const [name, values] of parseCookies(text.split(';', 1)[0])) {
        cookies.set(name, values[0] ?? '')
      }
    }
    return response
  }
  return {
    cookies,
    async authorize(fields) {
      return remember(await app.inject({ url: url(fields), headers: { cookie: header() } }))
    },
    async confirm(fields, page) {
      const inputs = [...page.matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)">/g)]
      const payload = new URLSearchParams()
      for (const [, name = '', value = ''] of inputs) payload.append(name, value)
      const response = await app.inject({
        method: 'POST',
        url: url(fields),
        headers: { cookie: header(), 'content-type': 'application/x-www-form-urlencoded' },
        payload: payload.toString(),
      })
      return remember(response)
    },
  }
}
