// Page behaviour. Facts come from data attributes of <body>; everything else works without script.
import { createClient } from './client.js'

const facts = document.body.dataset
const find = (id) => document.getElementById(id)
const hub = createClient({ url: `${facts.baseUrl}api`, xsrf: facts.xsrf })

// Names that customised pages and browser tests of existing deployments rely on.
window.jhdata = {
  base_url: facts.baseUrl,
  prefix: facts.prefix,
  user: facts.user,
  xsrf_token: facts.xsrf,
}

const pages = {
  'spawn-pending': followStart,
  'not-running': offerLaunch,
  token: requestTokens,
  error: forgetRedirects,
}
pages[facts.page]?.()
window._jupyterhub_page_loaded = true

function followStart() {
  const server = { user: facts.owner, server: facts.serverName }
  const leaving = new AbortController()
  find('stop-server-btn').addEventListener('click', async (click) => {
    click.target.disabled = true
    const stopped = await hub.servers.stop(server)
    if (stopped.ok) {
      leaving.abort()
      window.location.assign(`${facts.baseUrl}home`)
      return
    }
    click.target.disabled = false
    show('stop-error', stopped.error.message)
  })
  showEvents(hub.servers.progress(server, { signal: leaving.signal }), leaving.signal)
}

async function showEvents(events, signal) {
  for await (const event of events) {
    if (signal.aborted) return
    showEvent(event)
    if (event.kind === 'ready') window.location.reload()
    // The page knows better than a stream that the hub refuses.
    if (event.kind === 'lost') setTimeout(() => window.location.reload(), 3000)
  }
}

function showEvent(event) {
  const bar = find('progress-bar')
  const percent = event.kind === 'progress' ? event.progress : 100
  if (percent !== undefined && event.kind !== 'lost') {
    bar.value = percent
    find('sr-progress').textContent = `${percent}% complete`
  }
  if (event.message) {
    const log = find('progress-log')
    find('progress-message').textContent = event.message
    const item = document.createElement('li')
    item.textContent = event.message
    log.append(item)
    log.scrollTop = log.scrollHeight
  }
  if (event.kind === 'failed') {
    bar.classList.add('failed')
    find('progress-details').open = true
    find('stop-server-btn').hidden = true
  }
}

function offerLaunch() {
  const start = find('start')
  // The fragment never reaches the hub, so it is carried over here.
  if (window.location.hash) {
    const url = new URL(start.href)
    const next = url.searchParams.get('next')
    if (next) url.searchParams.set('next', next + window.location.hash)
    start.href = url.href
  }
  const seconds = Number(facts.spawnAfter)
  if (seconds > 0) setTimeout(() => window.location.assign(start.href), seconds * 1000)
}

function requestTokens() {
  find('request-token-form').addEventListener('submit', async (submit) => {
    submit.preventDefault()
    find('token-error').hidden = true
    const seconds = find('token-expiration-seconds').value
    const scopes = find('token-scopes').value.trim()
    const created = await hub.tokens.create(facts.user, {
      note: find('token-note').value || 'Requested via token page',
      lifetimeMs: seconds === '' ? undefined : Number(seconds) * 1000,
      scopes: scopes === '' ? undefined : scopes.split(/\s+/),
    })
    if (!created.ok) return show('token-error', created.error.message)
    find('token-result').textContent = created.value.token
    find('token-area').hidden = false
  })
}

function forgetRedirects() {
  const url = new URL(window.location.href)
  if (!url.searchParams.has('redirects')) return
  url.searchParams.delete('redirects')
  window.history.replaceState({}, '', url)
}

function show(id, message) {
  find(id).textContent = message
  find(id).hidden = false
}
