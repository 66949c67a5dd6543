import { connect } from 'node:net'
import type { ProxyPeer } from '../proxies.ts'

export interface BodySample {
  /** Milliseconds of CPU time for each megabyte. */
  readonly cpuMsPerMegabyte: number
  /** Growth of resident memory over the run. */
  readonly grownBytes: number
}

export const title = 'P10 bodies of 1 MB and 100 MB, down and up'
export const bodyPath = '/user/ada/body'
export const kinds = ['down', 'up'] as const
const parallel = 4

/** Moves bodies until `totalMegabytes` are through; four connections at a time. */
export async function measure(
  peer: ProxyPeer,
  options: {
    readonly kind: (typeof kinds)[number]
    readonly megabytes: number
    readonly totalMegabytes: number
  },
): Promise<BodySample> {
  const { kind, megabytes, totalMegabytes } = options
  const cpuBefore = peer.cpuSeconds()
  const memoryBefore = peer.memoryBytes()
  let left = Math.ceil(totalMegabytes / megabytes)
  const moved = left * megabytes
  await Promise.all(
    Array.from({ length: Math.min(parallel, left) }, async () => {
      while (left > 0) {
        left -= 1
        await (kind === 'down' ? download(peer.port, megabytes) : upload(peer.port, megabytes))
      }
    }),
  )
  return {
    cpuMsPerMegabyte: ((peer.cpuSeconds() - cpuBefore) * 1000) / moved,
    grownBytes: peer.memoryBytes() - memoryBefore,
  }
}

const megabyte = 2 ** 20

function download(port: number, megabytes: number): Promise<void> {
  return ask(
    port,
    `GET ${bodyPath}?${megabytes} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    (got) => got >= megabytes * megabyte,
  )
}

function upload(port: number, megabytes: number): Promise<void> {
  const piece = Buffer.alloc(megabyte / 4, 'x')
  let sent = 0
  return ask(
    port,
    `POST ${bodyPath} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${megabytes * megabyte}\r\n\r\n`,
    (got) => got > 0 && sent === megabytes * megabyte,
    (write) => {
      while (sent < megabytes * megabyte) {
        sent += piece.length
        if (!write(piece)) return
      }
    },
  )
}

function ask(
  port: number,
  head: string,
  isComplete: (got: number) => boolean,
  fill?: (write: (piece: Buffer) => boolean) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let got = 0
    const more = (): void => fill?.((piece) => socket.write(piece))
    socket.once('connect', () => {
      socket.write(head, 'latin1')
      more()
    })
    socket.on('drain', more)
    socket.on('data', (bytes) => {
      if (got === 0 && !bytes.toString('latin1', 0, 15).includes(' 200 ')) {
        socket.destroy(new Error(`a body was answered by ${bytes.toString('latin1', 0, 40)}`))
      }
      got += bytes.length
    })
    socket.once('error', reject)
    socket.once('close', () => {
      if (isComplete(got)) resolve()
      else reject(new Error(`a body ended after ${got} bytes`))
    })
  })
}
