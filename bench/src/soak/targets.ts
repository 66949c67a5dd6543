import { type Server, createServer } from 'node:http'
import { type AddressInfo, type Socket, createServer as createRawServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** Servers of users, good and bad. */
export interface Target {
  readonly url: string
  /** Without a word to those who are connected. */
  stop(): void
}

const piece = Buffer.alloc(64 * 1024, 'x')
export const events = 10
export const slowPieces = 10

/** A server as it should be. */
export async function startGoodTarget(): Promise<Target> {
  const sockets = new Set<Socket>()
  const server = createServer((request, response) => {
    request.on('error', () => undefined)
    const path = request.url?.split('/').at(-1)
    if (path === 'large') {
      request.resume()
      sendWithoutEnd(response)
    } else if (path === 'events') void sendEvents(response)
    else if (path === 'slow') void sendSlowly(response)
    else {
      let taken = 0
      request.on('data', (bytes: Buffer) => (taken += bytes.length))
      request.once('end', () => response.end(`taken ${taken}`))
    }
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('upgrade', (_request, socket: Socket) => {
    socket.write('HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
    socket.on('data', () => socket.write(Buffer.from([0x81, 2, 0x68, 0x69])))
    socket.on('end', () => socket.end()).on('error', () => socket.destroy())
  })
  return listening(server, sockets)
}

/** Takes connections and never says anything. */
export const startHangingTarget = (): Promise<Target> =>
  startRawTarget((socket) => void socket.resume())

/** Breaks off in the middle of its answer. */
export const startResettingTarget = (): Promise<Target> =>
  startRawTarget((socket) => {
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n${'x'.repeat(500)}`, () => {
        socket.resetAndDestroy()
      })
    })
  })

function startRawTarget(serve: (socket: Socket) => void): Promise<Target> {
  const sockets = new Set<Socket>()
  const server = createRawServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket))
    serve(socket)
  })
  return listening(server, sockets)
}

async function listening(
  server: Server | ReturnType<typeof createRawServer>,
  sockets: ReadonlySet<Socket>,
): Promise<Target> {
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

type Response = Parameters<NonNullable<Parameters<typeof createServer>[1]>>[1]

function sendWithoutEnd(response: Response): void {
  const more = (): void => {
    while (!response.destroyed && response.write(piece)) continue
  }
  response.on('drain', more)
  more()
}

async function sendEvents(response: Response): Promise<void> {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' })
  for (let i = 0; i < events && !response.destroyed; i += 1) {
    response.write(`data: ${i}\n\n`)
    await delay(50)
  }
  response.end()
}

async function sendSlowly(response: Response): Promise<void> {
  response.writeHead(200, { 'Content-Length': slowPieces })
  for (let i = 0; i < slowPieces && !response.destroyed; i += 1) {
    response.write('x')
    await delay(50)
  }
  response.end()
}
