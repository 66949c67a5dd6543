import { createServer } from 'node:net'
import { hasErrno } from '../../util/errno.ts'

const reserveMs = 60_000
const maxReserved = 4096
/** Handed out but maybe not bound yet, oldest first, so that concurrent starts get different ports. */
const reserved = new Map<number, number>()

/**
 * A free port at `ip`, not handed out within the last minute by this process.
 * Throws when none could be found, or `ip` is not an address of this machine.
 */
export async function findFreePort(ip: string): Promise<number> {
  const now = Date.now()
  for (const [port, until] of reserved) {
    if (until < now || reserved.size > maxReserved) reserved.delete(port)
  }
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = await listenOnce(ip, 0)
    if (reserved.has(port)) continue
    reserved.set(port, now + reserveMs)
    return port
  }
  throw new Error(`no free port was found at ${ip === '' ? 'any address' : ip}`)
}

/** Whether something listens there already. */
export async function isPortTaken(ip: string, port: number): Promise<boolean> {
  try {
    await listenOnce(ip, port)
    return false
  } catch (error) {
    if (hasErrno(error, 'EADDRINUSE')) return true
    // Ports below 1024 may be the user's own to bind by other means; the server will tell.
    if (hasErrno(error, 'EACCES')) return false
    throw error
  }
}

async function listenOnce(ip: string, port: number): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, ...(ip === '' ? {} : { host: ip }) }, resolve)
  })
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port was assigned')
  return address.port
}
