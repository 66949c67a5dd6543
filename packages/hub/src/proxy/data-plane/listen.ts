import { once } from 'node:events'
import type { Server as HttpServer } from 'node:http'
import { lstatSync, rmSync } from 'node:fs'
import { chmod, lstat, rename, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { AddressInfo, ListenOptions, Server } from 'node:net'

export interface Listen {
  /** `undefined` is all interfaces. */
  readonly ip: string | undefined
  readonly port: number
  /** A Unix socket in place of both. */
  readonly socketPath?: string
  /** Permissions of the socket's file; what the process gives its files when left out. */
  readonly socketMode?: number
  /** Others of this user may listen there too, and the kernel gives each its part. */
  readonly isShared?: boolean
  /** Takes the place of one that listens on the Unix socket. */
  readonly takesOver?: boolean
}

/** @returns the port; 0 for a Unix socket */
export async function listen(server: Server, at: Listen): Promise<number> {
  if (at.socketPath !== undefined) await listenOnSocket(server, at.socketPath, at)
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

/** Requests that are under way get so long. */
const lastAnswersMs = 1000

/**
 * Closes servers without cutting those that just came: the kernel resets what it has accepted and
 * we have not, and the next immediates run right after the loop has taken all of it.
 */
export async function closeGently(servers: readonly HttpServer[]): Promise<void> {
  const listening = servers.filter((server) => server.listening)
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  const closed = listening.map(async (server) => {
    const over = once(server, 'close')
    server.close()
    const timer = setTimeout(() => server.closeAllConnections(), lastAnswersMs)
    await over
    clearTimeout(timer)
  })
  await Promise.all(closed)
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

/**
 * A socket that nobody listens on any more is replaced, and so is that of one whose place is taken.
 * It is bound beside and renamed, since Node removes the name that it bound when it closes: by then
 * the name may be a successor's.
 */
async function listenOnSocket(
  server: Server,
  path: string,
  { takesOver = false, socketMode }: Pick<Listen, 'takesOver' | 'socketMode'>,
): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  const isFree =
    found === undefined || (found.isSocket() && (takesOver || (await isLeftOver(path))))
  if (!isFree) {
    server.listen(path) // fails with what is the matter
    await once(server, 'listening')
    return
  }
  const draft = `${path}.${process.pid}`
  await rm(draft, { force: true })
  server.listen(draft)
  await once(server, 'listening')
  if (socketMode !== undefined) await chmod(draft, socketMode)
  const { ino } = await lstat(draft)
  await rename(draft, path)
  server.once('close', () => {
    if (lstatSync(path, { throwIfNoEntry: false })?.ino === ino) rmSync(path, { force: true })
  })
}

/** Whether nobody listens on a Unix socket any more. */
export async function isLeftOver(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(false)
    })
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  })
}
