import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadConfig } from '../config/load.ts'
import { ConfigError } from '../domain/errors.ts'
import { hasOpenssl, makeCertificate } from '../proxy/data-plane/tls/certificates-for-tests.ts'
import { publicCertificate, publicScheme, publicSchemeWarning } from './public-tls.ts'

let cwd: string
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'public-tls-'))
  if (!hasOpenssl()) return
  for (const name of ['one', 'two']) makeCertificate(cwd, { name, names: ['localhost'] })
  writeFileSync(join(cwd, 'text'), 'no certificate')
  writeFileSync(join(cwd, 'locked.key'), 'x')
  chmodSync(join(cwd, 'locked.key'), 0)
})
afterAll(() => rmSync(cwd, { recursive: true }))

async function configOf(content: Record<string, Record<string, unknown>>) {
  writeFileSync(join(cwd, 'jupyterhub_config.json'), JSON.stringify(content))
  return (await loadConfig({ cwd, env: {}, flags: [], strict: false })).config
}

async function certificateOf(hub: Record<string, unknown>) {
  return publicCertificate({ config: await configOf({ JupyterHub: hub }), cwd, env: {} })
}

test.each([
  [{}, 'http'],
  [{ JupyterHub: { ssl_cert: 'c', bind_url: 'http://:443' } }, 'https'],
  [{ JupyterHub: { bind_url: 'https://:443' } }, 'http'],
  [{ Orrery: { edge_args: ['--acme-domain=hub.example', '--redirect-port=80'] } }, 'https'],
  [{ Orrery: { edge_args: ['--hsts', '1'] } }, 'http'],
])('%j is reached by %s', async (content, scheme) => {
  expect(publicScheme(await configOf(content))).toBe(scheme)
})

test('https that nothing serves is told, and https that is served is not', async () => {
  const bind_url = 'https://:443'
  expect(publicSchemeWarning(await configOf({ JupyterHub: { bind_url } }))).toMatch(/ssl_cert/)
  const served = await configOf({ JupyterHub: { bind_url, ssl_cert: 'c', ssl_key: 'k' } })
  expect(publicSchemeWarning(served)).toBeUndefined()
  expect(publicSchemeWarning(await configOf({}))).toBeUndefined()
})

test.skipIf(!hasOpenssl())('files are found from the working folder', async () => {
  expect(await certificateOf({})).toBeUndefined()
  expect(await certificateOf({ ssl_key: 'one.key', ssl_cert: join(cwd, 'one.crt') })).toEqual({
    keyPath: join(cwd, 'one.key'),
    certPath: join(cwd, 'one.crt'),
  })
})

test.skipIf(!hasOpenssl()).each([
  [{ ssl_cert: 'one.crt' }, /JupyterHub\.ssl_cert is set without JupyterHub\.ssl_key/],
  [{ ssl_key: 'one.key' }, /JupyterHub\.ssl_key is set without JupyterHub\.ssl_cert/],
  [
    { ssl_key: 'one.key', ssl_cert: 'none.crt' },
    /JupyterHub\.ssl_cert: .*none\.crt cannot be read/,
  ],
  [{ ssl_key: 'none.key', ssl_cert: 'one.crt' }, /JupyterHub\.ssl_key: .*none\.key cannot be read/],
  [{ ssl_key: '.', ssl_cert: 'one.crt' }, /JupyterHub\.ssl_key: .* cannot be read/],
  [{ ssl_key: 'one.key', ssl_cert: 'text' }, /JupyterHub\.ssl_cert: .*text cannot be used/],
  [{ ssl_key: 'text', ssl_cert: 'one.crt' }, /JupyterHub\.ssl_key: .*text cannot be used/],
  [{ ssl_key: 'locked.key', ssl_cert: 'one.crt' }, /JupyterHub\.ssl_key: .*locked\.key cannot be/],
  [{ ssl_key: 'two.key', ssl_cert: 'one.crt' }, /JupyterHub\.ssl_key: .* is not the key of/],
])('%j is refused by the option at fault', async (hub, message) => {
  const failure = certificateOf(hub)
  await expect(failure).rejects.toThrow(ConfigError)
  await expect(failure).rejects.toThrow(message)
})
