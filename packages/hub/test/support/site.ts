import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import type { ApiDeps } from '../../src/api/context.ts'
import { dummyAuthenticator } from '../../src/authenticators/dummy/dummy-authenticator.ts'
import { registerOAuth } from '../../src/oauth/routes.ts'
import { decide } from '../../src/rbac/decide.ts'
import { endBrowserSession } from '../../src/storage/browser-sessions.ts'
import { putOAuthClient } from '../../src/storage/oauth.ts'
import { ensureServer } from '../../src/storage/servers.ts'
import type { Store } from '../../src/storage/store.ts'
import { hashToken } from '../../src/storage/token-hash.ts'
import { createUser } from '../../src/storage/users.ts'
import { authenticateCredentials, type LoginDeps } from '../../src/web/authenticate.ts'
import { LoginThrottle } from '../../src/web/login-throttle.ts'
import { registerPages } from '../../src/web/register-pages.ts'
import { pageSettings } from '../../src/web/settings-test-kit.ts'
import type { WebSettings } from '../../src/web/web-deps.ts'
import { ApiHub, type Caller } from '../api/api-hub.ts'
import { CookieJar } from './cookie-jar.ts'

export const sitePassword = 'a shared secret'
export const clientSecret = 'c'.repeat(32)

/** API, OAuth and pages together on a store of the test's, with one password for everybody. */
export class Site {
  readonly app: FastifyInstance
  readonly store: Store
  readonly #hub: ApiHub

  private constructor(hub: ApiHub) {
    this.app = hub.app
    this.store = hub.store
    this.#hub = hub
  }

  static async start(
    store: Store,
    options: { pageSettings?: Partial<WebSettings> } = {},
  ): Promise<Site> {
    const login = loginDeps(store)
    const hub = await ApiHub.start(store, {
      deps: { authenticateCredentials: (auth) => nameBehind(auth, login) },
      extend: (app, deps) => extend(app, { deps, login, ...options }),
    })
    return new Site(hub)
  }

  close(): Promise<void> {
    return this.#hub.close()
  }

  browser(jar: CookieJar = new CookieJar()): SiteBrowser {
    return new SiteBrowser(this.app, jar)
  }

  /** A browser in which the user has signed in by the form. */
  async signedIn(username: string): Promise<SiteBrowser> {
    const browser = this.browser()
    await browser.signIn(username)
    return browser
  }

  /** Requests with a token, of a user who holds exactly these raw scopes. */
  callerWith(scopes: readonly string[], name: string): Promise<Caller> {
    return this.#hub.callerWith(scopes, name)
  }

  /** A user with a default server's OAuth client, whose secret is `clientSecret`. */
  async addServer(username: string): Promise<{ client_id: string; redirect_uri: string }> {
    const path = `/user/${username}/`
    const id = `jupyterhub-user-${username}`
    await this.store.write(async (tx) => {
      const { id: userId } = await createUser(tx, { name: username }, new Date())
      const server = await ensureServer(tx, { userId, name: '', displayName: null }, new Date())
      await putOAuthClient(tx, {
        id,
        description: `Server at ${path}`,
        secretHash: hashToken(clientSecret),
        redirectUri: `${path}oauth_callback`,
        allowedScopes: [`access:servers!server=${username}/`],
        serverId: server.id,
        serviceId: null,
      })
    })
    return { client_id: id, redirect_uri: `${path}oauth_callback` }
  }

  exchange(fields: Record<string, string>): Promise<LightMyRequestResponse> {
    return this.app.inject({
      method: 'POST',
      url: '/hub/api/oauth2/token',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      payload: new URLSearchParams({
        grant_type: 'authorization_code',
        client_secret: clientSecret,
        ...fields,
      }).toString(),
    })
  }
}

/** A browser that follows no redirect by itself. */
export class SiteBrowser {
  readonly jar: CookieJar
  readonly #app: FastifyInstance

  constructor(app: FastifyInstance, jar: CookieJar) {
    this.#app = app
    this.jar = jar
  }

  async send(
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    url: string,
    options: {
      headers?: Record<string, string>
      fields?: Record<string, string>
      json?: unknown
    } = {},
  ): Promise<LightMyRequestResponse> {
    const { fields, json } = options
    const cookie = this.jar.headerFor(url)
    const response = await this.#app.inject({
      method,
      url,
      headers: {
        ...(cookie !== '' && { cookie }),
        ...(fields !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
        ...(json !== undefined && { 'content-type': 'application/json' }),
        ...options.headers,
      },
      ...(fields !== undefined && { payload: new URLSearchParams(fields).toString() }),
      ...(json !== undefined && { payload: JSON.stringify(json) }),
    })
    this.jar.take(url, [response.headers['set-cookie'] ?? []].flat())
    return response
  }

  get(url: string, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> {
    return this.send('GET', url, { headers })
  }

  /** Opens the login page and submits its form, unless the browser is signed in and sent on. */
  async signIn(username: string, next = ''): Promise<LightMyRequestResponse> {
    const query = next === '' ? '' : `?next=${encodeURIComponent(next)}`
    const page = await this.get(`/hub/login${query}`)
    if (page.statusCode !== 200) return page
    return this.submitLogin(page.body, { username, password: sitePassword })
  }

  submitLogin(
    page: string,
    credentials: { username: string; password: string },
  ): Promise<LightMyRequestResponse> {
    const action = /<form action="([^"]*)"/.exec(page)?.[1]?.replaceAll('&#39;', "'") ?? ''
    const _xsrf = /name="_xsrf" value="([^"]*)"/.exec(page)?.[1] ?? ''
    return this.send('POST', action, { fields: { ...credentials, _xsrf } })
  }
}

async function extend(
  app: FastifyInstance,
  parts: { deps: ApiDeps; login: LoginDeps; pageSettings?: Partial<WebSettings> },
): Promise<void> {
  const { deps, login } = parts
  const { store, principals } = deps
  const settings = { ...deps.sessions.config, ...pageSettings, ...parts.pageSettings }
  await registerOAuth(app, {
    ...deps,
    settings,
    tokenExpiresInSeconds: 1_209_600,
    requirePkce: false,
  })
  await registerPages(app, {
    ...deps,
    login,
    signUpOpen: false,
    settings,
    async endSession(userId, id) {
      await store.write((tx) => endBrowserSession(tx, { userId, id }))
    },
    async decide(principal, scope, target) {
      const groupsOf = await principals.loadMembership()
      const resource =
        target === undefined
          ? undefined
          : ({ kind: 'server', user: target.username, server: target.serverName ?? '' } as const)
      const decision = decide(principal.scopes, [scope], { resource, groupsOf })
      return decision === 'denied' ? 'missing' : decision
    },
  })
}

async function nameBehind(auth: unknown, login: LoginDeps): Promise<string> {
  const { username = '', password = '' } = auth as Record<string, string>
  const credentials = { username, password, fields: {}, remoteAddress: '127.0.0.1' }
  return (await authenticateCredentials(login, credentials)).name
}

function loginDeps(store: Store): LoginDeps {
  const now = () => new Date()
  const passwords = { findPasswordHash: () => Promise.resolve(undefined) }
  const options = { password: sitePassword }
  return {
    store,
    authenticator: dummyAuthenticator.create({ options, passwords }),
    rules: {
      allowAll: true,
      allowedUsers: new Set(),
      blockedUsers: new Set(['mallory']),
      adminUsers: new Set(['root']),
      manageGroups: false,
    },
    throttle: new LoginThrottle(store, now),
    now,
  }
}
