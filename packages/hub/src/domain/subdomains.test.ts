import { expect, test } from 'vitest'
import { createSubdomains } from './subdomains.ts'
import { serverRoutespec, serverUrl } from './urls.ts'

const host = new URL('https://hub.example:8443')

/** Observed: JupyterHub 6.1, `subdomain_hook_idna`. */
test.each([
  ['ada', 'ada'],
  ['a-b', 'a-b'],
  ['ADA', 'ada'],
  ['müller', 'xn--mller-kva'],
  ['日本', 'xn--wgv71a'],
  ['straße', 'xn--strae-oqa'],
  ['a--b', 'u-ab--90827a2'],
  ['xn--mller-kva', 'u-xnmllerk--3e380bd'],
  ['123', 'u-123--a665a45'],
  ['a_b', 'u-ab--648fa9b'],
  ['ada@example.org', 'u-adaexamp--cfe00dd'],
  ['a.b', 'u-ab--2e7336d'],
  ['-a', 'u-a--c274891'],
  ['a-', 'u-a--9baf440'],
  ['😀', 'u-x--f0443a3'],
  ['a'.repeat(64), 'u-aaaaaaaa--ffe054f'],
])('the host of %s is %s', (name, label) => {
  const subdomains = createSubdomains({ host, hook: 'idna' })
  expect(subdomains.userHost(name)).toBe(`${label}.hub.example`)
  expect(subdomains.serviceHost(name)).toBe(`${label}--service.hub.example`)
})

test.each([
  ['ada', 'ada'],
  ['a.b', 'a.b'],
  ['a_b', 'a_5fb'],
  ['ada@x', 'ada_40x'],
  ['é', '_c3_a9'],
  ['a~', 'a_7e'],
])('the older host of %s is %s', (name, label) => {
  const subdomains = createSubdomains({ host, hook: 'legacy' })
  expect(subdomains.userHost(name)).toBe(`${label}.hub.example`)
  expect(subdomains.serviceHost(name)).toBe('services.hub.example')
})

test('URLs have scheme and port of the subdomain host, and the name of the public one', () => {
  const publicUrl = new URL('https://www.example/base/')
  const subdomains = createSubdomains({ host, hook: 'idna', publicUrl })
  const place = { baseUrl: '/base/', subdomains }
  expect(serverUrl(place, 'ada', 'lab')).toBe('https://ada.www.example:8443/base/user/ada/lab/')
  expect(serverRoutespec(place, 'ada', '')).toBe('ada.www.example/base/user/ada/')
  expect(subdomains.serviceOrigin('s')).toBe('https://s--service.hub.example:8443')
})

test('on one host URLs and routes are paths', () => {
  const place = { baseUrl: '/base/' }
  expect(serverUrl(place, 'a b', '')).toBe('/base/user/a%20b/')
  expect(serverRoutespec(place, 'a b', 'x')).toBe('/base/user/a%20b/x/')
})
