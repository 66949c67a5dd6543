import { once } from 'node:events'
import { connect } from 'node:net'
import { duplexPair } from 'node:stream'
import type { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { cleanups } from '../edge-test-kit.ts'
import { receiver, sharedReads, writeAround } from './bytes.ts'
import { serveWire } from './wire-test-kit.ts'

/** Reads a full piece of memory as a socket would, and writes `to` bytes of it. */
function readAndWrite(socket: Duplex, buffer: Buffer, to = buffer.length): Buffer {
  const from = {
    [receiver]: {
      received: (chunk: Buffer) => writeAround(socket, '', { chunk, from: 0, to }, ''),
    },
  }
  sharedReads.callback.call(from, buffer.length, buffer)
  return sharedReads.buffer()
}

test('memory is used again once it is written, and not before', async () => {
  const server = await serveWire()
  const connected = connect(server.port, '127.0.0.1')
  cleanups.push(() => connected.destroy())
  await once(connected, 'connect')
  const shared = sharedReads.buffer()
  const own = readAndWrite(connected, shared)
  expect(own).not.toBe(shared)
  expect(readAndWrite(connected, own)).toBe(own)
  const late = connect(server.port, '127.0.0.1')
  cleanups.push(() => late.destroy())
  expect(readAndWrite(late, own, 50_000)).not.toBe(own)
  const [near] = duplexPair()
  expect(readAndWrite(near, own, 50_000)).not.toBe(own)
})

test('what a socket still holds of the shared memory is a copy', async () => {
  const server = await serveWire()
  const late = connect(server.port, '127.0.0.1')
  cleanups.push(() => late.destroy())
  const shared = sharedReads.buffer()
  shared.fill('a')
  readAndWrite(late, shared)
  shared.fill('b')
  const got = await (await server.connection(0)).until('a'.repeat(shared.length))
  expect(got).not.toContain('b')
})
