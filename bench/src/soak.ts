import { createServer, type Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type ProxyPeer, startOrreryEdge } from './proxies.ts'
import { addRoute, deleteRoute } from './route-api.ts'

/** What is open and used when nobody asks anything. */
export interface Rest {
  readonly openFiles: number
  readonly memoryBytes: number
}

export interface SoakReport {
  /** Everything that was begun, by kind. */
  readonly counts: Readonly<Record<string, number>>
  /** Answers that no kind of load should get. */
  readonly unexpected: readonly string[]
  readonly before: Rest
  readonly after: Rest
}

/** Clients that vanish are found within twice that. */
const pingIntervalMs = 1000
const restMs = 60_000
const flags = ['--websocket-ping-interval', String(pingIntervalMs), '--keep-alive-timeout', '1000']

/**
 * Wears an edge with everything that goes wrong in a long life: slow readers, aborts, WebSockets that
 * are closed, cut and abandoned, dead servers, restarts and changes of routes. A quarter of the time
 * warms it up; what it holds at rest afterwards is compared with what it holds at rest in the end.
 */
export async function soak(options: {
  readonly seconds: number
  readonly print?: (text: string) => void
}): Promise<SoakReport> {
  const run = new Soak(await startOrreryEdge(flags))
  try {
    await run.load(options.seconds / 4)
    const before = await run.rest()
    options.print?.(`after warming up: ${describe(before)}\n`)
    await run.load((options.seconds * 3) / 4)
    const after = await run.rest()
    options.print?.(`at the end: ${describe(after)}\n`)
    return { counts: run.counts, unexpected: run.unexpected, before, after }
  } finally {
    await run.stop()
  }
}

export function describe({ openFiles, memoryBytes }: Rest): string {
  return `${openFiles} open files, ${(memoryBytes / 2 ** 20).toFixed(1)} MB`
}

class Soak {
  readonly counts: Record<string, number> = {}
  readonly unexpected: string[] = []
  readonly #edge: ProxyPeer
  #target: Server | undefined
  #endsAt = 0

  constructor(edge: ProxyPeer) {
    this.#edge = edge
  }

  async load(seconds: number): Promise<void> {
    this.#endsAt = performance.now() + seconds * 1000
    await this.#restart()
    await addRoute(this.#edge, '/dead', 'http://127.0.0.1:9')
    const kinds: [string, number, () => Promise<void>][] = [
      ['request', 8, () => this.#request('/live/small', ['200', '503'])],
      ['request to a dead server', 2, () => this.#request('/dead/x', ['503'])],
      ['slow reader that leaves', 4, () => this.#slowReader()],
      ['upload that breaks off', 2, () => this.#abortedUpload()],
      ['WebSocket with messages', 4, () => this.#webSocket('talk')],
      ['WebSocket that is cut', 2, () => this.#webSocket('cut')],
      ['WebSocket that is abandoned', 2, () => this.#webSocket('abandon')],
      ['restart of a server', 1, () => this.#restartLater()],
      ['route that comes and goes', 1, () => this.#routes()],
    ]
    await Promise.all(
      kinds.flatMap(([name, workers, act]) =>
        Array.from({ length: workers }, async () => {
          while (performance.now() < this.#endsAt) {
            this.counts[name] = (this.counts[name] ?? 0) + 1
            await act()
          }
        }),
      ),
    )
  }

  /** Waits until everything has been let go. */
  async rest(): Promise<Rest> {
    this.#target?.closeAllConnections()
    const giveUpAt = performance.now() + restMs
    let calmSince = performance.now()
    let lowest = { openFiles: Number.POSITIVE_INFINITY, memoryBytes: Number.POSITIVE_INFINITY }
    while (performance.now() < giveUpAt && performance.now() - calmSince < 5000) {
      await delay(250)
      const openFiles = this.#edge.openFiles()
      const memoryBytes = Math.min(lowest.memoryBytes, this.#edge.memoryBytes())
      if (openFiles < lowest.openFiles) calmSince = performance.now()
      lowest = { openFiles: Math.min(lowest.openFiles, openFiles), memoryBytes }
    }
    return lowest
  }

  async stop(): Promise<void> {
    this.#target?.closeAllConnections()
    this.#target?.close()
    await this.#edge.stop()
  }

  /** A new server takes over from one that goes without a word. */
  async #restart(): Promise<void> {
    const before = this.#target
    const target = startTarget()
    await new Promise((resolve) => target.listen(0, '127.0.0.1', () => resolve(undefined)))
    this.#target = target
    before?.close()
    before?.closeAllConnections()
    for (const socket of before === undefined ? [] : (upgraded.get(before) ?? [])) socket.destroy()
    await addRoute(
      this.#edge,
      '/live',
      `http://127.0.0.1:${(target.address() as AddressInfo).port}`,
    )
  }

  async #restartLater(): Promise<void> {
    await delay(2000)
    await this.#restart()
  }

  async #routes(): Promise<void> {
    await addRoute(this.#edge, '/live/passing', 'http://127.0.0.1:9')
    await deleteRoute(this.#edge, '/live/passing')
    await delay(20)
  }

  async #request(path: string, expected: readonly string[]): Promise<void> {
    const text = `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`
    const got = await this.#talk(text, () => undefined)
    const status = got.slice(9, 12)
    if (!expected.includes(status)) this.unexpected.push(`${path}: ${got.slice(0, 80)}`)
    await delay(5)
  }

  async #slowReader(): Promise<void> {
    await this.#talk('GET /live/large HTTP/1.1\r\nHost: x\r\n\r\n', (socket) => {
      socket.pause()
      setTimeout(() => socket.resume(), 100)
      setTimeout(() => socket.destroy(), 300)
    })
  }

  async #abortedUpload(): Promise<void> {
    const head = 'POST /live/taken HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n'
    await this.#talk(head, (socket) => {
      for (let i = 0; i < 20; i += 1) socket.write(piece)
      setTimeout(() => socket.destroy(), 100)
    })
  }

  async #webSocket(then: 'talk' | 'cut' | 'abandon'): Promise<void> {
    const text =
      'GET /live/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
    await this.#talk(text, (socket) => {
      // An abandoned client keeps its socket and says nothing more: the edge has to end it.
      if (then === 'abandon') return
      const timer = setInterval(() => socket.writable && socket.write(message), 20)
      setTimeout(() => (then === 'cut' ? socket.destroy() : socket.end()), 300)
      socket.once('close', () => clearInterval(timer))
    })
  }

  /** Sends a text and whatever `then` does. @returns what came until the connection was closed */
  #talk(text: string, then: (socket: Socket) => void): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect(this.#edge.port, '127.0.0.1')
      let got = ''
      const timer = setTimeout(() => {
        this.unexpected.push(`not closed: ${text.slice(0, 40)}`)
        socket.destroy()
      }, 30_000)
      socket.once('connect', () => {
        socket.write(text, 'latin1')
        then(socket)
      })
      socket.on('data', (bytes) => (got.length < 1000 ? (got += bytes.toString('latin1')) : got))
      socket.on('error', () => undefined)
      socket.once('close', () => {
        clearTimeout(timer)
        resolve(got)
      })
    })
  }
}

const piece = Buffer.alloc(64 * 1024, 'x')
const message = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69])
const upgraded = new WeakMap<Server, Set<Socket>>()

function startTarget(): Server {
  const sockets = new Set<Socket>()
  const target = createServer((request, response) => {
    request.resume()
    request.on('error', () => undefined)
    if (request.url === '/live/large') {
      const more = (): void => {
        while (!response.destroyed && response.write(piece)) continue
      }
      response.on('drain', more)
      more()
    } else request.once('end', () => response.end('small'))
  })
  target.on('upgrade', (_request, socket: Socket) => {
    sockets.add(socket)
    socket.write('HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
    socket.on('data', () => socket.write(Buffer.from([0x81, 2, 0x68, 0x69])))
    socket.on('end', () => socket.end()).on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
  })
  upgraded.set(target, sockets)
  return target
}

/** `npm run bench -- soak --minutes 30` */
export async function runSoak(args: readonly string[]): Promise<void> {
  const at = args.indexOf('--minutes')
  const minutes = at === -1 ? 30 : Number(args[at + 1])
  if (!(minutes > 0)) throw new Error('--minutes is a number above 0')
  const print = (text: string): void => void process.stdout.write(text)
  print(`Soak of ${minutes} minutes\n`)
  const report = await soak({ seconds: minutes * 60, print })
  for (const [kind, count] of Object.entries(report.counts)) print(`${kind}: ${count}\n`)
  for (const text of report.unexpected.slice(0, 20)) print(`unexpected: ${text}\n`)
  if (!isFlat(report)) process.exitCode = 1
}

/** Nothing was kept, and nothing went wrong. */
export function isFlat({ before, after, unexpected }: SoakReport): boolean {
  const grownBytes = after.memoryBytes - before.memoryBytes
  return unexpected.length === 0 && after.openFiles <= before.openFiles && grownBytes < 20 * 2 ** 20
}
