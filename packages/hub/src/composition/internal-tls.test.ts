import { X509Certificate } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadConfig } from '../config/load.ts'
import { openConfiguredTls, serverTls } from './internal-tls.ts'

let cwd: string
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'configured-tls-'))
})
afterEach(() => rmSync(cwd, { recursive: true }))

type Sections = Record<string, Record<string, unknown>>

const logger = { info: () => undefined, warn: () => undefined }

async function open(content: Sections) {
  writeFileSync(join(cwd, 'jupyterhub_config.json'), JSON.stringify(content))
  const { config } = await loadConfig({ cwd, env: {}, flags: [], strict: false })
  const tls = await openConfiguredTls({ config, cwd, logger })
  return { config, tls }
}

/** Names of a component's certificate, or of one for a server that is reached by the last ones. */
async function namesIn(content: Sections, of: string | readonly string[]): Promise<string> {
  const { config, tls } = await open({
    ...content,
    JupyterHub: { internal_ssl: true, ...content['JupyterHub'] },
  })
  if (tls === undefined) throw new TypeError('it is turned on')
  try {
    const pem =
      typeof of === 'string'
        ? readFileSync(join(cwd, 'internal-ssl', of, `${of}.crt`))
        : (await serverTls(config, tls).issue('ada', of)).cert
    return new X509Certificate(pem).subjectAltName ?? ''
  } finally {
    await tls.close()
  }
}

const local = 'IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, DNS:localhost'

test('without internal_ssl nothing is made', async () => {
  expect((await open({})).tls).toBeUndefined()
  expect(existsSync(join(cwd, 'internal-ssl'))).toBe(false)
})

test.each<[string, Sections, string]>([
  ['hub-internal', { JupyterHub: { hub_connect_ip: '10.1.1.1' } }, 'IP Address:10.1.1.1'],
  ['hub-internal', { JupyterHub: { hub_connect_url: 'https://hub.in:8081' } }, 'DNS:hub.in'],
  ['hub-internal', { JupyterHub: { hub_ip: 'fd00::1' } }, 'IP Address:FD00:0:0:0:0:0:0:1'],
  ['hub-internal', { JupyterHub: { trusted_alt_names: ['DNS:a.in'] } }, 'DNS:a.in'],
  ['hub-internal', { JupyterHub: { subdomain_host: 'https://h.example' } }, 'DNS:h.example'],
  ['proxy-api', { ConfigurableHTTPProxy: { api_url: 'http://proxy.in:8001' } }, 'DNS:proxy.in'],
  ['proxy-client', { JupyterHub: { trusted_alt_names: ['IP:10.2.2.2'] } }, 'IP Address:10.2.2.2'],
])('the certificate of %s is for what %j says', async (component, content, name) => {
  const names = await namesIn(content, component)
  expect(names).toContain(name)
  expect(names).toContain(local)
})

test.each<[Sections, readonly string[], string]>([
  [{}, [], local],
  [{}, ['10.0.0.5', 'DNS:ada.h.example'], `${local}, IP Address:10.0.0.5, DNS:ada.h.example`],
  [{ JupyterHub: { trusted_alt_names: ['DNS:a.in'] } }, [], `${local}, DNS:a.in`],
  [
    { JupyterHub: { trusted_alt_names: ['DNS:a.in'] }, Spawner: { ssl_alt_names: ['b.in'] } },
    [],
    `${local}, DNS:b.in`,
  ],
  [
    { Spawner: { ssl_alt_names: ['DNS:b.in'], ssl_alt_names_include_local: false } },
    ['10.0.0.5'],
    'DNS:b.in, IP Address:10.0.0.5',
  ],
  [{ Spawner: { ssl_alt_names_include_local: false } }, [], ''],
])('with %j a server reached by %j has the names %s', async (content, more, names) => {
  expect(await namesIn(content, more)).toBe(names)
})
