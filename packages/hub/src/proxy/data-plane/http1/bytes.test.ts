import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { duplexPair } from 'node:stream'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setImmediate as aTurn } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { cleanups, patience } from '../edge-test-kit.ts'
import { receiver, releaseMemory, sharedReads, writeAround } from './bytes.ts'
import type { ReceivingSocket } from './bytes.ts'
import { serveWire } from './wire-test-kit.ts'

const bulk = 64 * 1024

/** A socket that reads, as Node does, `length` bytes into what it was told to. */
class Reader {
  memory = sharedReads.buffer()
  readonly #socket: ReceivingSocket
  readonly #to: Duplex

  /** @param to - takes whatever comes. */
  constructor(to: Duplex) {
    this.#to = to
    ;[this.#socket] = duplexPair()
    cleanups.push(() => this.close())
  }

  read(length: number, letter: string): void {
    const to = this.#to
    this.memory.fill(letter, 0, length)
    this.#socket[receiver] = {
      received: (chunk) => void writeAround(to, '', { chunk, from: 0, to: chunk.length }, ''),
    }
    sharedReads.callback.call(this.#socket, length, this.memory)
    this.memory = sharedReads.buffer()
  }

  pause(): void {
    this.#socket.pause()
  }

  close(): void {
    releaseMemory(this.#socket)
  }
}

async function connectTo(port: number): Promise<Socket> {
  const socket = connectSoon(port)
  await once(socket, 'connect')
  return socket
}

/** Holds what is written until it is connected. */
function connectSoon(port: number): Socket {
  const socket = connect(port, '127.0.0.1')
  cleanups.push(() => socket.destroy())
  return socket
}

test('a body is read into memory of its own, which is used again once it is written', async () => {
  const server = await serveWire()
  const to = await connectTo(server.port)
  const reader = new Reader(to)
  const shared = reader.memory
  const own = new Set<Buffer>()
  for (let i = 0; i < 20; i += 1) {
    reader.read(bulk, 'a')
    own.add(reader.memory)
    await vi.waitUntil(() => to.writableLength === 0, patience)
    await aTurn()
  }
  expect(own.has(shared)).toBe(false)
  expect(own.size).toBeLessThan(4)
  reader.read(10, 'b')
  expect(reader.memory === shared).toBe(true)
})

test('memory is not used again before it is written', async () => {
  const server = await serveWire()
  const reader = new Reader(connectSoon(server.port))
  const letters = 'abcdefgh'.split('')
  for (const letter of letters) reader.read(bulk, letter)
  const got = await (await server.connection(0)).until('h'.repeat(bulk))
  expect(got === letters.map((letter) => letter.repeat(bulk)).join('')).toBe(true)
})

test('other duplexes get copies: they may hand their bytes on after they took them', async () => {
  const [near, far] = duplexPair()
  const reader = new Reader(near)
  for (const letter of 'abc') reader.read(bulk, letter)
  near.end()
  const got = await text(far)
  expect(got === 'a'.repeat(bulk) + 'b'.repeat(bulk) + 'c'.repeat(bulk)).toBe(true)
})

test('who is paused keeps no memory of its own', async () => {
  const server = await serveWire()
  const reader = new Reader(await connectTo(server.port))
  const shared = reader.memory
  reader.read(bulk, 'a')
  expect(reader.memory === shared).toBe(false)
  reader.pause()
  reader.read(bulk, 'b')
  expect(reader.memory === shared).toBe(true)
})

test('however many write slowly, their memory is bounded, and free again at their end', async () => {
  const server = await serveWire()
  const most = 128
  for (let round = 0; round < 2; round += 1) {
    const to = connectSoon(server.port)
    const readers = Array.from({ length: 2 * most }, () => new Reader(to))
    const shared = readers[0]?.memory
    for (const reader of readers) reader.read(bulk, 'a')
    const own = new Set(readers.map(({ memory }) => memory).filter((memory) => memory !== shared))
    // One is the copy of what came first.
    expect(own.size).toBe(most - 1)
    for (const reader of readers) reader.close()
    to.destroy()
    await once(to, 'close')
  }
})

test('short writes that wait for their receiver are not written over', async () => {
  const server = await serveWire((one) => void one.socket.pause())
  const slow = await connectTo(server.port)
  const other = await connectTo(server.port)
  let sent = ''
  const send = (to: Socket, text: string): void => {
    const chunk = Buffer.from(text)
    writeAround(to, '<', { chunk, from: 0, to: chunk.length }, '>')
    if (to === slow) sent += `<${text}>`
  }
  for (let i = 0; slow.writableLength === 0; i += 1) send(slow, String(i).padEnd(3000, 'a'))
  send(other, 'b'.repeat(3000))
  send(slow, 'the end')
  const slowEnd = await server.connection(0)
  slowEnd.socket.resume()
  const got = await slowEnd.until('<the end>')
  expect(got === sent).toBe(true)
})
