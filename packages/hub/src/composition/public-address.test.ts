import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadConfig } from '../config/load.ts'
import {
  extraRoutes,
  hubRoutespec,
  isHubCatchAll,
  publicUrlOf,
  subdomainsOf,
} from './public-address.ts'

let cwd: string
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'public-address-'))
})
afterEach(() => rmSync(cwd, { recursive: true }))

async function configOf(content: Record<string, Record<string, unknown>>) {
  writeFileSync(join(cwd, 'jupyterhub_config.json'), JSON.stringify(content))
  return (await loadConfig({ cwd, env: {}, flags: [], strict: false })).config
}

test.each([
  [{}, undefined],
  [{ public_url: 'https://www.example' }, 'https://www.example/'],
  [{ public_url: 'https://www.example', base_url: '/b/' }, 'https://www.example/b/'],
  [{ public_url: 'https://www.example/b', base_url: '/b/' }, 'https://www.example/b/'],
  [{ public_url: 'https://www.example/a/b/', base_url: '/b/' }, 'https://www.example/a/b/'],
  [{ subdomain_host: 'http://hub.example:8000', base_url: '/b/' }, 'http://hub.example:8000/b/'],
  [{ subdomain_host: 'hub.example' }, 'https://hub.example/'],
  [{ subdomain_host: 'http://h.example', public_url: 'https://w.example/' }, 'https://w.example/'],
])('with %j people type %s', async (hub, url) => {
  expect(publicUrlOf(await configOf({ JupyterHub: hub }))?.href).toBe(url)
})

test('a public URL below another path than the base URL is refused', async () => {
  const config = await configOf({
    JupyterHub: { public_url: 'https://w.example/x/', base_url: '/b/' },
  })
  expect(() => publicUrlOf(config)).toThrow(/has to end in base_url, which is '\/b\/'/)
})

test.each([
  [{}, '/', true],
  [{ base_url: '/b/' }, '/b/', true],
  [{ base_url: '/b/', subdomain_host: 'http://h.example' }, '/', true],
  [{ hub_routespec: 'hub/api' }, '/hub/api/', false],
  [{ hub_routespec: 'h.example/hub', subdomain_host: 'http://h.example' }, 'h.example/hub/', false],
])('with %j the hub is at %s', async (hub, routespec, isCatchAll) => {
  const config = await configOf({ JupyterHub: hub })
  expect([hubRoutespec(config), isHubCatchAll(config)]).toEqual([routespec, isCatchAll])
})

test('extra routes get their final slash, and a host name exactly where there are host names', async () => {
  const routes = { '/docs': 'http://127.0.0.1:1', 'w.example/x/': 'http://127.0.0.1:2' }
  const of = async (routespec: keyof typeof routes, hub = {}) => {
    const extra_routes = { [routespec]: routes[routespec] }
    return [...extraRoutes(await configOf({ JupyterHub: hub, Proxy: { extra_routes } }))]
  }
  const withHosts = { subdomain_host: 'http://h.example' }
  expect(await of('/docs')).toEqual([['/docs/', 'http://127.0.0.1:1']])
  expect(await of('w.example/x/', withHosts)).toEqual([['w.example/x/', 'http://127.0.0.1:2']])
  await expect(of('w.example/x/')).rejects.toThrow('has to begin with a slash')
  await expect(of('/docs', withHosts)).rejects.toThrow('has to begin with a host name')
})

test('host names follow the hook', async () => {
  const hub = { subdomain_host: 'http://h.example', subdomain_hook: 'legacy' }
  expect(subdomainsOf(await configOf({ JupyterHub: hub }))?.userHost('a_b')).toBe('a_5fb.h.example')
  expect(subdomainsOf(await configOf({}))).toBeUndefined()
})

test.each(['http://h.example/path', 'ftp://h.example', 'http://u@h.example', 'http://'])(
  'the subdomain host %s is refused',
  async (subdomain_host) => {
    await expect(configOf({ JupyterHub: { subdomain_host } })).rejects.toThrow('subdomain_host')
  },
)
