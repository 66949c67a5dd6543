import type { FastifyInstance } from 'fastify'
import { HubError } from '../../domain/errors.ts'
import { shorten } from '../../domain/names.ts'
import type { SpawnFailure } from '../../domain/server-state.ts'
import { html, trustedHtml } from '../html.ts'
import { definePage, type Exchange, nextOf, page, redirect, signedIn, xsrf } from '../page-kit.ts'
import { nextUrl, serverPageUrl, serverUrl } from '../server-pages.ts'
import type { WebDeps } from '../web-deps.ts'
import { type PageTarget, readTarget, serverPagePath, type ViewerExchange } from './spawn.ts'

/** Waiting for a server to start or stop. Source: contract pages-and-urls §4.5. */
export function registerPendingPages(app: FastifyInstance, deps: WebDeps): void {
  definePage(app, deps, {
    url: `${deps.settings.hubPrefix}spawn-pending/*`,
    methods: { GET: signedIn(showPending) },
    path: serverPagePath,
  })
}

async function showPending(exchange: ViewerExchange): Promise<string> {
  const { deps } = exchange
  const target = await readTarget(exchange, 'spawn-pending')
  const { user, serverName, server } = target
  if (server === undefined && serverName !== '') {
    const message = `${user.name} has no such server ${shorten(serverName, 100)}`
    throw new HubError('server_not_found', { message })
  }
  const state = server?.state ?? { kind: 'stopped' as const }
  switch (state.kind) {
    case 'ready':
      return redirect(
        exchange,
        await nextUrl(exchange, serverUrl(deps.settings, user.name, serverName)),
      )
    case 'stopping':
      return stopPending(exchange, target)
    case 'spawning':
      return spawnPending(exchange, target)
    case 'stopped': {
      const { lastFailure } = state
      if (lastFailure !== undefined) exchange.reply.code(lastFailure.status)
      return notRunning(exchange, target, { failure: lastFailure })
    }
  }
}

async function spawnPending(exchange: ViewerExchange, target: PageTarget): Promise<string> {
  const xsrfToken = xsrf(exchange)
  return page(exchange, {
    title: 'Your server is starting',
    xsrfToken,
    data: {
      page: 'spawn-pending',
      owner: target.user.name,
      'server-name': target.serverName,
    },
    main: html`<h1>Your server is starting</h1>
<p>You will be sent on as soon as it is ready.</p>
<div class="card">
<progress id="progress-bar" max="100" value="0" aria-labelledby="progress-message"></progress>
<span id="sr-progress" class="visually-hidden">0% complete</span>
<p id="progress-message" role="status">Waiting for news of the server...</p>
<details id="progress-details"><summary>Event log</summary><ul id="progress-log"></ul></details>
<div class="actions"><a id="refresh" class="btn" href="">Refresh</a><button id="stop-server-btn" type="button" class="btn-danger">Stop</button></div>
<p class="error" id="stop-error" role="alert" hidden></p>
<noscript><p class="hint">Reload this page to see whether the server is ready; home has a button that cancels the start.</p></noscript>
</div>`,
  })
}

async function stopPending(exchange: ViewerExchange, target: PageTarget): Promise<string> {
  // Works without script: the browser asks again after five seconds.
  exchange.reply.header('refresh', '5')
  const whose = target.user.id === exchange.viewer.user.id ? 'Your server' : 'The server'
  return page(exchange, {
    title: 'Server is stopping',
    main: html`<h1>${whose} is stopping</h1>
<div class="card"><p role="status">You will be able to start it again once it has stopped.</p>
<p class="actions"><a id="refresh" class="btn" href="">Refresh</a></p></div>`,
  })
}

/** The page for a stopped server, or one whose last start failed. The status is the caller's. */
export async function notRunning(
  exchange: Exchange,
  target: PageTarget,
  options: { failure?: SpawnFailure | undefined; next?: string },
): Promise<string> {
  const { settings } = exchange.deps
  const { failure } = options
  const { serverName, user } = target
  const url = serverPageUrl(settings, { page: 'spawn', username: user.name, serverName })
  const next = options.next ?? nextOf(exchange)
  const href = next === '' ? url : `${url}?next=${encodeURIComponent(next)}`
  const title = failure === undefined ? 'Server not running' : 'Server failed to start'
  const name = serverName === '' ? 'Your server' : `Your server ${serverName}`
  const waitSeconds = failure === undefined ? settings.implicitSpawnSeconds : 0
  return page(exchange, {
    title,
    data: { page: 'not-running', ...(waitSeconds > 0 && { 'spawn-after': String(waitSeconds) }) },
    main: html`<h1>${title}</h1>
<div class="card">
${failure === undefined ? html`<p>${name} is not running. Would you like to start it?</p>` : failureText(failure)}
<p class="actions"><a id="start" class="btn btn-primary" role="button" href="${href}">${failure === undefined ? 'Launch Server' : 'Relaunch Server'}</a>
<a class="btn" href="${settings.hubPrefix}home">Home</a></p>
</div>`,
  })
}

function failureText(failure: SpawnFailure) {
  const text =
    failure.htmlMessage === undefined ? failure.message : trustedHtml(failure.htmlMessage)
  return html`<p>The last start failed. You can try again.</p><p class="error" role="alert">${text}</p>`
}
