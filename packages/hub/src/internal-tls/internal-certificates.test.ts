import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer } from 'node:tls'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ConfigError } from '../domain/errors.ts'
import { parseAltName } from './alt-names.ts'
import {
  type InternalCertificates,
  type InternalCertificatesOptions,
  type Material,
  openInternalCertificates,
} from './internal-certificates.ts'

const dayMs = 86_400_000
let cwd: string
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'orrery-internal-tls-'))
})
afterEach(() => rmSync(cwd, { recursive: true }))

const path = (...parts: string[]) => join(cwd, 'internal-ssl', ...parts)
const text = (...parts: string[]) => readFileSync(path(...parts), 'utf8')
const certificateIn = (name: string) => new X509Certificate(text(name, `${name}.crt`))

function open(changes: Partial<InternalCertificatesOptions> = {}): Promise<InternalCertificates> {
  return openInternalCertificates({
    path: path(),
    configuredPath: 'internal-ssl',
    cwd,
    external: {},
    names: { 'hub-internal': [], 'proxy-api': [], 'proxy-client': [] },
    hostNames: [],
    recreate: false,
    log: () => undefined,
    now: () => new Date(),
    ...changes,
  })
}

const names = (...list: string[]) => list.flatMap((name) => parseAltName(name) ?? [])
const inDays = (days: number) => () => new Date(Date.now() + days * dayMs)

/** Why the two do not talk, each with its own certificate; nothing when they do. */
async function refusal(server: Material, client: Partial<Material>): Promise<string> {
  const listener = createServer({ ...server, requestCert: true, rejectUnauthorized: true })
  listener.on('secureConnection', (socket) => socket.end('hello'))
  let failure = ''
  listener.on('tlsClientError', (error) => (failure = error.message))
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  const socket = connect({ port, host: '127.0.0.1', ...client })
  socket.on('error', (error: Error) => (failure ||= error.message)).resume()
  await once(socket, 'close').catch(() => undefined)
  listener.close()
  return failure
}

test('files have the layout and the modes of certipy, keys are closed to others', async () => {
  await open()
  expect(statSync(path()).mode & 0o777).toBe(0o700)
  for (const name of ['hub-ca', 'services-ca', 'hub-internal', 'proxy-client']) {
    expect(statSync(path(name, `${name}.key`)).mode & 0o777).toBe(0o600)
    expect(certificateIn(name).subject).toBe(`CN=${name}`)
  }
  const count = (bundle: string) => text(`${bundle}_trust.crt`).split('BEGIN').length - 1
  expect(['hub-ca', 'proxy-api-ca', 'proxy-client-ca', 'notebooks-ca'].map(count)).toEqual([
    5, 3, 2, 2,
  ])
  expect(JSON.parse(text('certipy.json'))).toMatchObject({
    'hub-ca': { is_ca: true, files: { key: 'internal-ssl/hub-ca/hub-ca.key' } },
    'proxy-api': {
      parent_ca: 'proxy-api-ca',
      files: { ca: 'internal-ssl/proxy-api-ca/proxy-api-ca.crt' },
    },
  })
})

test('hub and servers talk; a server is no hub to others, and nobody talks without a certificate', async () => {
  const certificates = await open()
  const hub = certificates.hubMaterial()
  const ada = await certificates.issue('user-ada', names('127.0.0.1'))
  const bob = await certificates.issue('user-bob', names('127.0.0.1'))
  expect(await refusal(hub, ada)).toBe('')
  expect(await refusal(ada, hub)).toBe('')
  expect(await refusal(ada, bob)).not.toBe('')
  expect(await refusal(hub, { ca: hub.ca })).not.toBe('')
  const elsewhere = await certificates.issue('user-eve', names('DNS:eve.example'))
  expect(await refusal(elsewhere, hub)).toMatch(/altname/i)
  expect(ada.key).not.toBe(bob.key)
})

test('a restart keeps everything, byte for byte', async () => {
  const before = (await open()).hubMaterial()
  const files = ['certipy.json', 'hub-ca_trust.crt'].map((name) => statSync(path(name)).ino)
  expect((await open()).hubMaterial()).toEqual(before)
  expect(['certipy.json', 'hub-ca_trust.crt'].map((name) => statSync(path(name)).ino)).toEqual(
    files,
  )
})

test('hubs that start at once end with the same certificates', async () => {
  const opened = await Promise.all(Array.from({ length: 6 }, () => open()))
  const [first, ...others] = opened.map((each) => each.hubMaterial())
  for (const other of others) expect(other).toEqual(first)
  const server = await opened[1]?.issue('user-ada', names('127.0.0.1'))
  if (first === undefined || server === undefined) throw new TypeError('six were opened')
  expect(await refusal(first, server)).toBe('')
  expect(text('hub-internal', 'hub-internal.crt')).toBe(first.cert)
})

test('a name that is missing is added; those of another hub stay', async () => {
  const wants = (name: string) => ({
    'hub-internal': names(name),
    'proxy-api': [],
    'proxy-client': [],
  })
  await open({ names: wants('DNS:one.example') })
  const key = text('hub-internal', 'hub-internal.key')
  await open({ names: wants('IP:10.1.2.3') })
  const { subjectAltName } = certificateIn('hub-internal')
  expect(subjectAltName).toContain('DNS:one.example')
  expect(subjectAltName).toContain('IP Address:10.1.2.3')
  expect(subjectAltName).toContain('IP Address:127.0.0.1')
  expect(text('hub-internal', 'hub-internal.key')).toBe(key)
})

test('what is about to end, or has ended, is renewed; servers that run are not shut out', async () => {
  const serials = () => ['hub-internal', 'hub-ca'].map((name) => certificateIn(name).serialNumber)
  await open({ now: inDays(-7 * 365) })
  const [, authority] = serials()
  const earlier = await open({ now: inDays(-4 * 365) })
  const ada = await earlier.issue('user-ada', names('127.0.0.1'))
  const before = serials()
  expect(before[1]).toBe(authority)
  const now = await open()
  expect(serials().filter((serial) => before.includes(serial))).toEqual([])
  expect(await refusal(now.hubMaterial(), ada)).toBe('')
  expect(await refusal(ada, now.hubMaterial())).toBe('')
  expect(await now.renew()).toBe(false)
})

test('a renewal tells whether the own certificate is another one', async () => {
  let now = inDays(-4 * 365)
  const certificates = await open({ now: () => now() })
  const before = certificates.hubMaterial()
  now = inDays(0)
  expect(await certificates.renew()).toBe(true)
  expect(certificates.hubMaterial().cert).not.toBe(before.cert)
  expect(certificates.hubMaterial().key).toBe(before.key)
})

test('certificates of hub and proxy that are broken are made again', async () => {
  await open()
  writeFileSync(path('hub-internal', 'hub-internal.crt'), 'none')
  rmSync(path('proxy-api', 'proxy-api.key'))
  chmodSync(path('proxy-client', 'proxy-client.key'), 0o644)
  const again = await open()
  expect(certificateIn('hub-internal').checkIssued(certificateIn('hub-ca'))).toBe(true)
  expect(statSync(path('proxy-api', 'proxy-api.key')).mode & 0o777).toBe(0o600)
  expect(statSync(path('proxy-client', 'proxy-client.key')).mode & 0o777).toBe(0o600)
  expect(await refusal(again.hubMaterial(), again.hubMaterial())).toBe('')
})

test('everything is new when asked for', async () => {
  const ada = await (await open()).issue('user-ada', names('127.0.0.1'))
  const again = await open({ recreate: true })
  expect(await refusal(again.hubMaterial(), ada)).not.toBe('')
})

test.each<[string, () => void, RegExp]>([
  [
    'a certificate that is none',
    () => writeFileSync(path('hub-ca', 'hub-ca.crt'), 'none'),
    /hub-ca\.crt cannot be used/,
  ],
  [
    'a key that is none',
    () => writeFileSync(path('hub-ca', 'hub-ca.key'), 'none'),
    /hub-ca\.key cannot be used/,
  ],
  [
    'a key that is gone',
    () => rmSync(path('hub-ca', 'hub-ca.key')),
    /hub-ca\.key of an authority is missing/,
  ],
  [
    'a key of another',
    () => writeFileSync(path('hub-ca', 'hub-ca.key'), text('services-ca', 'services-ca.key')),
    /is not the key/,
  ],
  [
    'a key that others may read',
    () => chmodSync(path('hub-ca', 'hub-ca.key'), 0o640),
    /chmod 600 .*hub-ca\.key/,
  ],
  ['a folder that others may write to', () => chmodSync(path(), 0o777), /chmod go-w/],
  [
    'a file in place of the folder',
    () => {
      rmSync(path(), { recursive: true })
      writeFileSync(path(), '')
    },
    /cannot be used/,
  ],
])(
  '%s in an authority is refused, with the remedy, and stays as it is',
  async (_case, spoil, message) => {
    await open()
    spoil()
    const failure = open()
    await expect(failure).rejects.toThrow(ConfigError)
    await expect(failure).rejects.toThrow(/JupyterHub\.internal_certs_location/)
    await expect(failure).rejects.toThrow(message)
  },
)

test('an authority of the operator signs, and is trusted with what signed it', async () => {
  await open()
  for (const end of ['key', 'crt'])
    writeFileSync(join(cwd, `own.${end}`), text('notebooks-ca', `notebooks-ca.${end}`), {
      mode: 0o600,
    })
  rmSync(path(), { recursive: true })
  const files = { key: 'own.key', cert: 'own.crt', ca: undefined }
  const certificates = await open({ external: { 'notebooks-ca': files } })
  const ada = await certificates.issue('user-ada', names('127.0.0.1'))
  expect(await refusal(certificates.hubMaterial(), ada)).toBe('')
  const own = new X509Certificate(readFileSync(join(cwd, 'own.crt')))
  expect(new X509Certificate(ada.cert).verify(own.publicKey)).toBe(true)
  const withoutKey = { ...files, key: undefined }
  const trusting = await open({ external: { 'notebooks-ca': withoutKey } })
  await expect(trusting.issue('user-ada', [])).rejects.toThrow(/\['notebooks-ca'\] has no 'key'/)
})

test.each([
  [{ key: 'own.key', cert: undefined, ca: undefined }, /needs 'cert'/],
  [{ key: undefined, cert: 'none.crt', ca: undefined }, /there is no file none\.crt/],
  [{ key: undefined, cert: 'leaf.crt', ca: undefined }, /no authority's certificate/],
  [{ key: 'other.key', cert: 'own.crt', ca: undefined }, /other\.key is not the key/],
  [{ key: undefined, cert: 'broken.crt', ca: undefined }, /broken\.crt cannot be used/],
])('the external authority %j is refused by its name', async (files, message) => {
  await open()
  writeFileSync(join(cwd, 'own.crt'), text('hub-ca', 'hub-ca.crt'))
  writeFileSync(join(cwd, 'other.key'), text('services-ca', 'services-ca.key'), { mode: 0o600 })
  writeFileSync(join(cwd, 'leaf.crt'), text('hub-internal', 'hub-internal.crt'))
  writeFileSync(join(cwd, 'broken.crt'), 'none')
  const failure = open({ external: { 'hub-ca': files } })
  await expect(failure).rejects.toThrow(/JupyterHub\.external_ssl_authorities\['hub-ca'\]/)
  await expect(failure).rejects.toThrow(message)
})
