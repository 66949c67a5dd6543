import { connect, type ConnectionOptions } from 'node:tls'
import { beforeEach, expect, test, vi } from 'vitest'
import { edge, patience, temporaryFolder } from '../edge-test-kit.ts'
import type { Edge } from '../edge.ts'
import { hasOpenssl, makeCertificate } from './certificates-for-tests.ts'
import type { CertificateFiles } from './certificate-store.ts'
import { SessionTickets, TicketKeys } from './session-tickets.ts'

const canMake = hasOpenssl()
let folder: string
let files: CertificateFiles

beforeEach(async (context) => {
  if (!canMake) context.skip('no openssl on this machine')
  folder = await temporaryFolder()
  files = makeCertificate(folder, { name: 'hub', names: ['localhost'] })
})

function secureEdge(log: string[] = []): Promise<Edge> {
  return edge({
    workers: 2,
    log: (_level, message) => void log.push(message),
    tls: {
      files: [files],
      side: { requestCert: false, rejectUnauthorized: false },
      protocol: { settings: {} },
      hasHttp2: true,
      hstsSeconds: 0,
    },
  })
}

/** Asks once over a new connection. @returns the session that it was given, if any */
function visit(
  e: Edge,
  options: ConnectionOptions,
): Promise<{ session: Buffer | undefined; isReused: boolean }> {
  return new Promise((resolve, reject) => {
    let session: Buffer | undefined
    let isReused = false
    const socket = connect({
      port: e.port,
      host: '127.0.0.1',
      servername: 'localhost',
      rejectUnauthorized: false,
      ...options,
    })
    socket.on('session', (given) => (session = given)).on('error', reject)
    socket.on('data', () => undefined)
    socket.on('secureConnect', () => (isReused = socket.isSessionReused()))
    socket.on('close', () => resolve({ session, isReused }))
    socket.write('GET /_chp_healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  })
}

async function reuses(e: Edge, session: Buffer | undefined, options: ConnectionOptions) {
  expect(session).toBeDefined()
  const visits = Array.from({ length: 16 }, () =>
    visit(e, { ...options, session: session ?? Buffer.of() }),
  )
  return (await Promise.all(visits)).filter(({ isReused }) => isReused).length
}

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'a session of %s goes on with whichever worker, and after the certificate was renewed',
  async (version) => {
    const log: string[] = []
    const e = await secureEdge(log)
    await e.complete()
    const options = { minVersion: version, maxVersion: version }
    const { session } = await visit(e, options)
    expect(await reuses(e, session, options)).toBe(16)
    makeCertificate(folder, { name: 'hub', names: ['localhost', 'other'] })
    const isRead = () =>
      log.filter((line) => line.startsWith('certificates read again')).length === 2
    await vi.waitUntil(isRead, { timeout: 15_000 })
    expect(await reuses(e, session, options)).toBe(16)
  },
  40_000,
)

test('keys are made anew, and listeners told of them', async () => {
  const told: Uint8Array[] = []
  const keys = new TicketKeys((made) => void told.push(made), 5)
  const first = keys.current
  const tickets = new SessionTickets(first)
  let changes = 0
  tickets.onChange(() => (changes += 1))
  await vi.waitUntil(() => told.length > 1, patience)
  keys.close()
  expect(first).toHaveLength(48)
  expect(new Set([first, ...told].map((key) => Buffer.from(key).toString('hex'))).size).toBe(
    told.length + 1,
  )
  tickets.use(keys.current)
  expect([changes, tickets.keysFor(undefined).equals(keys.current)]).toEqual([1, true])
})

test('with new keys a session begins anew on every worker, and goes on from there', async () => {
  const make = vi.spyOn(globalThis, 'setInterval')
  const e = await secureEdge()
  await e.complete()
  const rotate = make.mock.calls.find(([, ms]) => ms === 3_600_000)?.[0]
  make.mockRestore()
  const options = { minVersion: 'TLSv1.3' } as const
  const { session } = await visit(e, options)
  expect(await reuses(e, session, options)).toBe(16)
  rotate?.()
  await vi.waitUntil(async () => (await reuses(e, session, options)) === 0, { timeout: 10_000 })
  const next = await visit(e, options)
  expect(await reuses(e, next.session, options)).toBe(16)
})
