import { duplexPair } from 'node:stream'
import { afterEach, expect, test, vi } from 'vitest'
import { bodyFraming } from './answer-head.ts'
import type { Asker } from './asker.ts'
import { ClientConnection } from './client-connection.ts'
import { Deadlines } from './deadlines.ts'
import type { Exchange } from './exchange.ts'
import { Fields, noConnectionOptions } from './fields.ts'
import type { FrontServices } from './front-services.ts'

const deadlines = new Deadlines(1000)
afterEach(() => deadlines.close())

const noContent = {
  status: 204,
  reason: 'No',
  isLineUsual: false,
  framing: bodyFraming.none,
  length: 0,
  keepAlive: true,
  keepAliveMs: Number.POSITIVE_INFINITY,
  connection: noConnectionOptions,
}

test('an answer may come while the last of the body still waits for the target', async () => {
  const [near, far] = duplexPair()
  const askers: Asker[] = []
  const services: Partial<FrontServices> = {
    keepAliveTimeoutMs: 5000,
    headTimeoutMs: 5000,
    pace: { deadlines, bytesPerSecond: 0, windowMs: 1000 },
    isDraining: false,
    tlsAnswerLines: '',
    onGone: () => undefined,
    open: ({ asker }) => {
      askers.push(asker)
      // The target has no room: sockets of the system are too large to fill them to the byte.
      const full: Partial<Exchange> = {
        start: () => undefined,
        sendBody: () => false,
        endBody: () => undefined,
        flush: () => undefined,
        abort: () => undefined,
      }
      return { kind: 'exchange', exchange: full as Exchange, rewrite: undefined, maxBodyBytes: 0 }
    },
  }
  const peer = { address: '127.0.0.1', isTrusted: true, isTls: false }
  const connection = new ClientConnection(near, peer, services as FrontServices)
  const post = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody'
  far.write(post)
  for (let asked = 1; asked <= 3; asked += 1) {
    await vi.waitUntil(() => askers.length === asked, { timeout: 15_000 })
    askers[asked - 1]?.answer(noContent, new Fields())
    askers[asked - 1]?.end('')
    far.write(post)
  }
  connection.destroy()
  expect(near.destroyed).toBe(true)
})
