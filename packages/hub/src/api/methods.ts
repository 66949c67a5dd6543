import type { RouteOptions } from 'fastify'
import type { ApiApp } from './context.ts'
import { sendEmpty } from './context.ts'

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

/** Whether paths have routes for this method at all: `PROPFIND` and the like are 405 everywhere. */
export function isRouted(method: string): boolean {
  return methods.some((known) => known === method)
}

/**
 * Answers for the methods that a path of the API does not have: OPTIONS 200 for everybody, HEAD
 * 405 without a body, the rest 405 after credentials and XSRF were looked at.
 * Call before the routes; returns what is to be called after them.
 * Source: contract rest-api §1.2.
 */
export function collectMethods(app: ApiApp): () => void {
  const defined = new Map<string, Set<string>>()
  let isDone = false
  app.addHook('onRoute', (route: RouteOptions & { path: string }) => {
    if (isDone) return
    const set = defined.get(route.url) ?? new Set<string>()
    for (const method of [route.method].flat()) set.add(method)
    defined.set(route.url, set)
  })
  return () => {
    isDone = true
    for (const [url, present] of defined) {
      registerOthers(app, url.slice(app.prefix.length), present)
    }
  }
}

function registerOthers(app: ApiApp, url: string, present: ReadonlySet<string>): void {
  const schema = { hide: true }
  const open = { access: { kind: 'public' } } as const
  // Otherwise `/` would stand for the prefix without slash as well, which comes by itself.
  const prefixTrailingSlash = 'slash'
  const rest = methods.filter((method) => !present.has(method))
  if (!present.has('OPTIONS')) {
    app.options(url, { schema, config: open, prefixTrailingSlash }, async (_request, reply) =>
      sendEmpty(reply, 200, 'application/json'),
    )
  }
  if (!present.has('HEAD')) {
    app.head(url, { schema, config: open, prefixTrailingSlash }, async (_request, reply) =>
      sendEmpty(reply, 405, 'application/json'),
    )
  }
  app.route({
    method: rest.filter((method) => method !== 'OPTIONS' && method !== 'HEAD'),
    url,
    schema,
    prefixTrailingSlash,
    config: { methodNotAllowed: true },
    handler: async () => {
      throw new TypeError('refused by the hook before')
    },
  })
}
