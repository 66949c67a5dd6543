import type { LightMyRequestResponse } from 'fastify'
import type { RunningLifecycle } from '../../src/lifecycle/create-lifecycle.ts'
import type { LifecycleSettings } from '../../src/lifecycle/settings.ts'
import type { Store } from '../../src/storage/store.ts'
import {
  type Browser,
  startTestHub as startPages,
  type TestHub,
  type TestHubOptions,
} from '../../src/web/web-test-kit.ts'
import { FakeMachines } from '../support/fake-spawner.ts'
import { seedRoles, startTestHub } from '../support/hubs.ts'

/** The pages over the real control plane, on a store of the test's. */
export interface PageHub {
  readonly machines: FakeMachines
  readonly lifecycle: RunningLifecycle
  readonly pages: TestHub
  /** A browser that has just signed up under this name. */
  signUp(username: string): Promise<Browser>
  close(): Promise<void>
}

export async function startPageHub(
  store: Store,
  options: { lifecycle?: Partial<LifecycleSettings> } & Pick<
    TestHubOptions,
    'session' | 'settings'
  > = {},
): Promise<PageHub> {
  await seedRoles(store)
  const machines = new FakeMachines()
  const lifecycle = await startTestHub(store, { machines, settings: options.lifecycle ?? {} })
  const { session = {}, settings = {} } = options
  const pages = await startPages({ store, lifecycle, session, settings })
  return {
    machines,
    lifecycle,
    pages,
    async signUp(username) {
      const browser = pages.browser()
      await browser.get('/hub/signup')
      const password = 'three unrelated words'
      await browser.post('/hub/signup', {
        _xsrf: browser.cookies.get('_xsrf') ?? '',
        username,
        password,
        confirmation: password,
      })
      return browser
    },
    async close() {
      await pages.close()
      await lifecycle.close()
      machines.killAll()
    },
  }
}

/** Sends a form with fields and files, as a browser with the cookies of `browser` would. */
export async function postMultipart(
  hub: PageHub,
  request: { browser: Browser; url: string; form: FormData },
): Promise<LightMyRequestResponse> {
  const { browser, url, form } = request
  const encoded = new Response(form)
  const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  return hub.pages.app.inject({
    method: 'POST',
    url,
    headers: { cookie, 'content-type': encoded.headers.get('content-type') ?? '' },
    payload: Buffer.from(await encoded.arrayBuffer()),
  })
}
