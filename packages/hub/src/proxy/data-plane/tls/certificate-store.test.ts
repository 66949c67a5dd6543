import { once } from 'node:events'
import { copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { beforeEach, expect, test, vi } from 'vitest'
import type { EdgeLog } from '../context.ts'
import { cleanups, patience, temporaryFolder } from '../edge-test-kit.ts'
import { canLimitFiles, openFiles } from '../open-files-test-kit.ts'
import { type CertificateFiles, openCertificateStore } from './certificate-store.ts'
import { hasOpenssl, makeCertificate } from './certificates-for-tests.ts'
import { openLiveTls } from './live-tls.ts'

const canMake = hasOpenssl()
let folder: string
let said: string[]

beforeEach(async (context) => {
  if (!canMake) context.skip('no openssl on this machine')
  folder = await temporaryFolder()
  said = []
})

async function open(files: readonly CertificateFiles[]) {
  const store = await openCertificateStore({
    files,
    settings: { read: () => Promise.resolve({}), paths: [] },
    log: (level, message) => said.push(`${level} ${message}`),
    checkIntervalMs: 20,
  })
  cleanups.push(() => store.close())
  return store
}

/** A TLS server on the store; answers who asks with the name of the certificate that it shows. */
async function serve(files: readonly CertificateFiles[]) {
  const store = await open(files)
  const server = createServer(
    { SNICallback: (name, done) => done(null, store.contextFor(name)) },
    (socket) => socket.on('error', () => undefined),
  )
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => void server.close())
  const { port } = server.address() as AddressInfo
  const open_ = (servername: string): Promise<TLSSocket> =>
    new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false })
      socket.once('secureConnect', () => resolve(socket)).once('error', reject)
      cleanups.push(() => void socket.destroy())
    })
  const shownTo = async (servername: string) =>
    String((await open_(servername)).getPeerCertificate().subject['CN'])
  return { store, shownTo, connect: open_ }
}

test('each host name gets its certificate, others the first', async () => {
  const { shownTo } = await serve([
    makeCertificate(folder, { name: 'main', names: ['hub.test'] }),
    makeCertificate(folder, { name: 'wild', names: ['*.users.test'] }),
    makeCertificate(folder, { name: 'own', names: ['bob.users.test'] }),
  ])
  const shown = ['hub.test', 'HUB.test', 'ada.users.test', 'Bob.users.test', 'a.b.users.test', 'x']
  const names = ['main', 'main', 'wild', 'own', 'main', 'main']
  expect(await Promise.all(shown.map(shownTo))).toEqual(names)
})

test('a renewed certificate is used for new connections, open ones stay', async () => {
  const files = makeCertificate(folder, { name: 'hub', names: ['hub.test'] })
  const { shownTo, connect: open_ } = await serve([files])
  const before = await open_('hub.test')
  const renewed = makeCertificate(folder, { name: 'renewed', names: ['hub.test'] })
  copyOver(renewed, files)
  await vi.waitUntil(async () => (await shownTo('hub.test')) === 'renewed', patience)
  expect(before.destroyed).toBe(false)
  expect(before.getPeerCertificate().subject['CN']).toBe('hub')
})

test('a certificate that does not fit its key is refused, and the old one goes on', async () => {
  const files = makeCertificate(folder, { name: 'hub', names: ['hub.test'] })
  const { shownTo, store } = await serve([files])
  const other = makeCertificate(folder, { name: 'other', names: ['hub.test'] })
  copyOver({ keyPath: files.keyPath, certPath: other.certPath }, files)
  await vi.waitUntil(() => said.some((line) => line.includes('is not the key of')), patience)
  expect(await shownTo('hub.test')).toBe('hub')
  expect(await store.reload()).toBe(false)
  copyOver(other, files)
  await vi.waitUntil(async () => (await shownTo('hub.test')) === 'other', patience)
})

test.each([
  ['a missing file', 'absent.crt', /absent\.crt cannot be read/],
  ['a file that is no certificate', 'text.crt', /text\.crt cannot be used/],
])('%s is an error that names it', async (_what, name, message) => {
  const files = makeCertificate(folder, { name: 'hub', names: ['hub.test'] })
  writeFileSync(`${folder}/text.crt`, 'not a certificate')
  await expect(open([{ ...files, certPath: `${folder}/${name}` }])).rejects.toThrow(message)
})

test('one that ends soon is told of, and an awaited one may come later', async () => {
  await open([makeCertificate(folder, { name: 'hub', names: ['hub.test'], days: 3 })])
  expect(said.join('\n')).toMatch(/warn the certificate of DNS:hub\.test ends/)
  const later = { keyPath: `${folder}/later.key`, certPath: `${folder}/later.crt` }
  const { connect: open_, shownTo } = await serve([{ ...later, isAwaited: true }])
  await expect(open_('later.test')).rejects.toThrow()
  makeCertificate(folder, { name: 'later', names: ['later.test'] })
  await vi.waitUntil(() => shownTo('later.test').catch(() => ''), patience)
  expect(await shownTo('later.test')).toBe('later')
  // Gone again, it still serves.
  said = []
  rmSync(later.certPath)
  await vi.waitUntil(() => said.length > 0, patience)
  expect(await shownTo('later.test')).toBe('later')
})

test('files that cannot be read for a while are read once they can, unchanged', async (context) => {
  if (!canLimitFiles()) context.skip('no prlimit on this machine')
  const files = makeCertificate(folder, { name: 'hub', names: ['hub.test'] })
  const renewed = makeCertificate(folder, { name: 'renewed', names: ['hub.test'] })
  const log: EdgeLog = (level, message) => void said.push(`${level} ${message}`)
  const side = { ...files, requestCert: false, rejectUnauthorized: false }
  const tls = await openLiveTls(side, { protocol: { settings: {} }, log, checkIntervalMs: 20 })
  cleanups.push(() => tls.close())
  const store = await open([files])
  const wanted = readFileSync(renewed.certPath, 'utf8')
  const limit = await openFiles()
  await limit.none()
  renameSync(renewed.keyPath, files.keyPath)
  renameSync(renewed.certPath, files.certPath)
  // Each says so once, however often it tries.
  const refusals = (): string[] => said.filter((line) => line.includes('EMFILE'))
  await vi.waitUntil(() => refusals().length > 1, patience)
  const seen = said.length
  await limit.asBefore()
  await vi.waitUntil(() => String(tls.current.cert) === wanted, patience)
  await vi.waitUntil(() => String(store.defaults().cert) === wanted, patience)
  expect(said.slice(seen).filter((line) => line.startsWith('error'))).toEqual([])
})

function copyOver(from: CertificateFiles, to: CertificateFiles): void {
  for (const key of ['keyPath', 'certPath'] as const) copyFileSync(from[key], to[key])
}
