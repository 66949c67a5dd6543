import { connect, type Socket } from 'node:net'
import type { ProxyPeer } from '../proxies.ts'

export interface MessageSample {
  readonly roundTripsPerCpuSecond: number
}

export interface IdleSample {
  readonly bytesPerPair: number
}

export const messagesTitle =
  'P11 WebSocket messages, round trips of 32 bytes through 32 connections'
export const idleTitle = 'P12 idle WebSockets'
export const webSocketPath = '/user/ada/api/kernels/1/channels'
const connections = 32

/** A masked text frame of 32 bytes; the server sends its payload back, unmasked as it came. */
const message = Buffer.concat([Buffer.from([0x81, 0x80 | 32, 0, 0, 0, 0]), Buffer.alloc(32, 'x')])
const answerBytes = 2 + 32

/** One message at a time on each connection, as many as there is time for. */
export async function measureMessages(
  peer: ProxyPeer,
  options: { readonly seconds: number },
): Promise<MessageSample> {
  const sockets = await openMany(peer.port, connections)
  let trips = 0
  const before = peer.cpuSeconds()
  const endsAt = performance.now() + options.seconds * 1000
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise<void>((resolve, reject) => {
          let got = 0
          socket.once('error', reject)
          socket.on('data', (bytes) => {
            got += bytes.length
            if (got < answerBytes) return
            got -= answerBytes
            trips += 1
            if (performance.now() < endsAt) socket.write(message)
            else resolve()
          })
          socket.write(message)
        }),
    ),
  )
  const used = peer.cpuSeconds() - before
  for (const socket of sockets) socket.destroy()
  return { roundTripsPerCpuSecond: trips / used }
}

/** What pairs of sockets without traffic add to the proxy's memory, once it came to rest. */
export async function measureIdle(
  peer: ProxyPeer,
  options: { readonly pairs: number },
): Promise<IdleSample> {
  const first = await openMany(peer.port, Math.floor(options.pairs / 4))
  const before = await restingMemory(peer)
  const sockets = await openMany(peer.port, options.pairs)
  const after = await restingMemory(peer)
  for (const socket of [...first, ...sockets]) socket.destroy()
  return { bytesPerPair: (after - before) / options.pairs }
}

/** The lowest of several looks: the collector of the proxy runs when it pleases. */
async function restingMemory(peer: ProxyPeer): Promise<number> {
  let lowest = Number.POSITIVE_INFINITY
  for (let look = 0; look < 12; look += 1) {
    await new Promise((resolve) => setTimeout(resolve, 250))
    lowest = Math.min(lowest, peer.memoryBytes())
  }
  return lowest
}

async function openMany(port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = []
  while (sockets.length < count) {
    const wanted = Math.min(100, count - sockets.length)
    sockets.push(...(await Promise.all(Array.from({ length: wanted }, () => open(port)))))
  }
  return sockets
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let head = ''
    socket.once('error', reject)
    socket.on('data', (bytes: Buffer) => {
      head += bytes.toString('latin1')
      if (!head.includes('\r\n\r\n')) return
      socket.removeAllListeners()
      if (head.startsWith('HTTP/1.1 101 ')) resolve(socket)
      else {
        socket.destroy()
        reject(new Error(`a WebSocket was answered by ${head.slice(0, 40)}`))
      }
    })
    socket.write(
      `GET ${webSocketPath} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
      'latin1',
    )
  })
}
