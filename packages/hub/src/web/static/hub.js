// Page behaviour. Facts come from data attributes of <body>; everything else works without script.
const facts = document.body.dataset
const find = (id) => document.getElementById(id)

// Names that customised pages and browser tests of existing deployments rely on.
window.jhdata = {
  base_url: facts.baseUrl,
  prefix: facts.prefix,
  user: facts.user,
  xsrf_token: facts.xsrf,
}

const pages = {
  'spawn-pending': followProgress,
  'not-running': offerLaunch,
  token: requestTokens,
  error: forgetRedirects,
}
pages[facts.page]?.()
window._jupyterhub_page_loaded = true

function followProgress() {
  const bar = find('progress-bar')
  const log = find('progress-log')
  const events = new EventSource(facts.progressUrl)

  events.onmessage = (message) => {
    const event = JSON.parse(message.data)
    if (typeof event.progress === 'number') {
      bar.value = event.progress
      find('sr-progress').textContent = `${event.progress}% complete`
    }
    const text = event.message || ''
    if (text !== '') {
      find('progress-message').textContent = text
      const item = document.createElement('li')
      item.textContent = text
      log.append(item)
      log.scrollTop = log.scrollHeight
    }
    if (event.ready) {
      events.close()
      window.location.reload()
    } else if (event.failed) {
      events.close()
      bar.classList.add('failed')
      find('progress-details').open = true
      find('stop-server-btn').hidden = true
    }
  }

  // The browser connects again by itself unless the hub refused; then the page knows better.
  events.onerror = () => {
    if (events.readyState === EventSource.CLOSED) setTimeout(() => window.location.reload(), 3000)
  }

  find('stop-server-btn').addEventListener('click', async (click) => {
    click.target.disabled = true
    const problem = await send('DELETE', facts.serverUrl)
    if (problem.ok) {
      events.close()
      window.location.assign(`${facts.baseUrl}home`)
      return
    }
    click.target.disabled = false
    show('stop-error', problem.message)
  })
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
    const result = await send('POST', facts.tokensUrl, {
      note: find('token-note').value || 'Requested via token page',
      expires_in: seconds === '' ? null : Number(seconds),
      ...(scopes !== '' && { scopes: scopes.split(/\s+/) }),
    })
    if (!result.ok) return show('token-error', result.message)
    find('token-result').textContent = result.body.token
    find('token-area').hidden = false
  })
}

function forgetRedirects() {
  const url = new URL(window.location.href)
  if (!url.searchParams.has('redirects')) return
  url.searchParams.delete('redirects')
  window.history.replaceState({}, '', url)
}

async function send(method, url, body) {
  try {
    const response = await fetch(url, {
      method,
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    const answer = text.startsWith('{') ? JSON.parse(text) : {}
    if (response.ok) return { ok: true, body: answer }
    return { ok: false, message: answer.message || `The hub answered ${response.status}.` }
  } catch {
    return { ok: false, message: 'The hub could not be reached. Try again in a moment.' }
  }
}

function show(id, message) {
  find(id).textContent = message
  find(id).hidden = false
}
