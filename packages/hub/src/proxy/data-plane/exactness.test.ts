import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { baseForward, patience } from './edge-test-kit.ts'
import { answer, fronts, startFront, startTarget, targets } from './fronts-test-kit.ts'
import { get, wire } from './http1/wire-test-kit.ts'
import { hasOpenssl } from './tls/certificates-for-tests.ts'

const canMake = hasOpenssl()
const total = 24 * 1024 * 1024
const part = Buffer.alloc(64 * 1024)

/** What a test tells the target, and what that saw. */
class Told {
  readonly released = Promise.withResolvers<void>()
  begun = 0
  left = 0
  written = 0
  trailers: Record<string, unknown> = {}
}

function listen(told: Told) {
  return async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    req.on('error', () => undefined)
    res.on('error', () => undefined).on('close', () => (told.left += res.writableFinished ? 0 : 1))
    told.begun += 1
    switch (req.url) {
      case '/echo':
        req.pipe(res)
        req.on('end', () => (told.trailers = { ...req.trailers }))
        break
      case '/length':
        res.setHeader('Content-Length', 5).end(req.method === 'HEAD' ? undefined : 'hello')
        break
      case '/none':
        res.writeHead(204).end()
        break
      case '/same':
        res.writeHead(304, { ETag: '"a"' }).end()
        break
      case '/hint':
        res.writeEarlyHints({ link: '</a>; rel=preload' })
        res.end('hinted')
        break
      case '/trailers':
        // Not announced: whoever sends trailers need not.
        res.writeHead(200).write('body')
        res.addTrailers({ 'X-Sum': '7' })
        res.end()
        break
      case '/events':
        res.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: 1\n\n')
        await told.released.promise
        res.end('data: 2\n\n')
        break
      case '/large':
        res.writeHead(200, { 'Content-Length': total })
        for (; told.written < total && !res.destroyed; told.written += part.length) {
          if (!res.write(part)) await new Promise((resolve) => res.once('drain', resolve))
        }
        res.end()
        break
      case '/unread':
        await told.released.promise
        res.end(String((await req.toArray()).reduce((sum: number, b: Buffer) => sum + b.length, 0)))
        break
      case '/never':
        break
      default:
        res.end('ok')
    }
  }
}

/** Waits until a number has stopped growing. */
async function still(read: () => number): Promise<number> {
  for (let last = -1, times = 0; ; ) {
    times = last === read() ? times + 1 : 0
    last = read()
    if (times === 4) return last
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

describe.each(fronts.flatMap((front) => targets.map((target) => [front, target] as const)))(
  'over %s, to a target by %s',
  (front, kind) => {
    let told: Told
    beforeEach((context) => {
      if (!canMake && (front === 'HTTP/2' || kind === 'TLS')) context.skip('no openssl here')
      told = new Told()
    })

    async function start(more?: Parameters<typeof startFront>[2]) {
      const listener = listen(told)
      const target = await startTarget(kind, (req, res) => void listener(req, res))
      return { target, ...(await startFront(front, target, more)) }
    }

    test('connections are kept, and bodies pass with and without a length', async () => {
      const { target, ask } = await start()
      for (const headers of [{}, { 'content-length': '5' }] as const) {
        const asked = ask('/echo', { method: 'POST', headers, hasBody: true })
        asked.body.end('hello')
        expect(await answer(asked)).toMatchObject({ status: 200, text: 'hello' })
      }
      expect(target.connections).toHaveLength(1)
    })

    test('answers without a body, and those of HEAD', async () => {
      const { target, ask } = await start()
      expect(await answer(ask('/none'))).toMatchObject({ status: 204, text: '' })
      const same = await answer(ask('/same'))
      expect(same).toMatchObject({ status: 304, text: '', headers: { etag: '"a"' } })
      const head = await answer(ask('/length', { method: 'HEAD' }))
      expect(head).toMatchObject({ status: 200, text: '', headers: { 'content-length': '5' } })
      expect(await answer(ask('/length'))).toMatchObject({ text: 'hello' })
      expect(target.connections).toHaveLength(1)
    })

    test('hints and trailers', async () => {
      const { ask } = await start()
      const hinted = ask('/hint')
      expect(await answer(hinted)).toMatchObject({ text: 'hinted' })
      expect(hinted.interim).toEqual([103])
      const summed = ask('/trailers')
      expect(await answer(summed)).toMatchObject({ text: 'body' })
      await vi.waitUntil(() => summed.trailers()['x-sum'] === '7', patience)
      const trailers = { 'x-end': 'a', 'x-forwarded-for': '6.6.6.6' }
      const sent = ask('/echo', { method: 'POST', hasBody: true, trailers })
      sent.body.end('hello')
      expect(await answer(sent)).toMatchObject({ text: 'hello' })
      expect(told.trailers).toEqual({ 'x-end': 'a' })
    })

    test('100 Continue', async () => {
      const { ask } = await start()
      const headers = { expect: '100-continue', 'content-length': '2' }
      const asked = ask('/echo', { method: 'PUT', headers, hasBody: true })
      await once(asked.body, 'continue')
      asked.body.end('hi')
      expect(await answer(asked)).toMatchObject({ status: 200, text: 'hi' })
    })

    test('events come one by one', async () => {
      const { ask } = await start()
      const asked = ask('/events')
      const stream = await asked.stream
      const [first] = (await once(stream, 'data')) as [Buffer]
      expect(first.toString()).toBe('data: 1\n\n')
      told.released.resolve()
      const [second] = (await once(stream, 'data')) as [Buffer]
      expect(second.toString()).toBe('data: 2\n\n')
    })

    test('a client that does not read holds the target back, and gets everything', async () => {
      const { ask } = await start()
      const stream = await ask('/large').stream
      expect(await still(() => told.written)).toBeLessThan(total)
      let size = 0
      for await (const chunk of stream as AsyncIterable<Buffer>) size += chunk.length
      expect(size).toBe(total)
    })

    test('a target that does not read holds the client back, and gets everything', async () => {
      const { ask } = await start()
      const asked = ask('/unread', { method: 'POST', hasBody: true })
      let sent = 0
      const send = async (): Promise<void> => {
        for (; sent < total; sent += part.length) {
          if (!asked.body.write(part)) await once(asked.body, 'drain')
        }
        asked.body.end()
      }
      const done = send()
      expect(await still(() => sent)).toBeLessThan(total)
      told.released.resolve()
      await done
      expect((await answer(asked)).text).toBe(String(total))
    })

    test('a client that leaves ends the request at the target: before, in and behind the head', async () => {
      const { ask } = await start()
      for (const [path, hasBody] of [
        ['/never', false],
        ['/unread', true],
        ['/events', false],
      ] as const) {
        const { left, begun } = told
        const asked = ask(path, { method: hasBody ? 'POST' : 'GET', hasBody })
        if (hasBody) asked.body.write('some')
        await vi.waitUntil(() => told.begun > begun, patience)
        if (path === '/events') await asked.begun
        asked.leave()
        await vi.waitUntil(() => told.left > left, patience)
      }
    })

    test('a target that breaks off is no end of the answer', async () => {
      const { target, ask } = await start()
      const asked = ask('/events')
      const stream = await asked.stream
      await once(stream, 'data')
      const ended = answer(asked)
      ended.catch(() => undefined)
      target.connections.at(-1)?.destroy()
      await expect(ended).rejects.toThrow()
    })

    test('a connection that was closed while idle is replaced; without an answer in time it is 503', async () => {
      const forward = { ...baseForward, proxyTimeoutMs: 500 }
      const { target, ask } = await start({ forward })
      for (let round = 1; round <= 3; round += 1) {
        expect(await answer(ask('/'))).toMatchObject({ status: 200, text: 'ok' })
        expect(target.connections).toHaveLength(round)
        target.connections.at(-1)?.destroy()
      }
      expect(await answer(ask('/never'))).toMatchObject({ status: 503 })
    })

    if (front === 'HTTP/2') return
    test.each(['websocket', 'x/1'])('a tunnel of %s', async (protocol) => {
      const { target, e } = await start()
      target.server.on('upgrade', (_req, socket: Socket) => {
        socket.write(`HTTP/1.1 101 Yes\r\nUpgrade: ${protocol}\r\nConnection: Upgrade\r\n\r\n`)
        socket.pipe(socket)
      })
      const client = wire(e.port)
      client.send(get('/', `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`))
      await client.until('101 Yes')
      await client.send('\x81\x82\0\0\0\0hi').until('hi')
      client.socket.end()
      await vi.waitUntil(() => target.connections.every(({ closed }) => closed), patience)
    })
  },
)
