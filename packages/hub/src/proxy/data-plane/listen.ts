import { once } from 'node:events'
import { lstat, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { AddressInfo, ListenOptions, Server } from 'node:net'

export interface Listen {
  /** `undefined` is all interfaces. */
  readonly ip: string | undefined
  readonly port: number
  /** A Unix socket in place of both. */
  readonly socketPath?: string
  /** Others of this user may listen there too, and the kernel gives each its part. */
  readonly isShared?: boolean
}

/** @returns the port; 0 for a Unix socket */
export async function listen(server: Server, at: Listen): Promise<number> {
  if (at.socketPath !== undefined) await listenOnSocket(server, at.socketPath)
  else {
    server.listen(addressOf(at))
    await once(server, 'listening')
  }
  const address = server.address() as AddressInfo | string
  return typeof address === 'string' ? 0 : address.port
}

function addressOf({ ip, port, isShared = false }: Listen): ListenOptions {
  return { port, ...(ip !== undefined && { host: ip }), ...(isShared && { reusePort: true }) }
}

/** Whether several sockets can listen on one port. Linux and FreeBSD can. */
export async function canSharePorts(): Promise<boolean> {
  const [first, second] = [createServer(), createServer()]
  const at = { ip: '127.0.0.1', isShared: true }
  try {
    const port = await listen(first, { ...at, port: 0 })
    await listen(second, { ...at, port })
    return true
  } catch {
    return false
  } finally {
    first.close()
    second.close()
  }
}

/** Rejects with the listener's error when anybody listens there, even one who would share. */
export async function ensureFree({ ip, port, socketPath }: Listen): Promise<void> {
  if (port === 0 || socketPath !== undefined) return
  const probe = createServer((socket) => socket.destroy())
  await listen(probe, { ip, port })
  const closed = once(probe, 'close')
  probe.close()
  await closed
}

/** A socket that nobody listens on any more is replaced. */
async function listenOnSocket(server: Server, path: string): Promise<void> {
  const isSocket = (await lstat(path).catch(() => undefined))?.isSocket() === true
  const isLeftOver = await new Promise<boolean>((resolve) => {
    if (!isSocket) return resolve(false)
    const probe = connect(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(false)
    })
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  })
  if (isLeftOver) await rm(path, { force: true })
  server.listen(path)
  await once(server, 'listening')
}
