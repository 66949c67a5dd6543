import { randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { hasErrno } from '../../util/errno.ts'

const reserveMs = 60_000
const maxReserved = 4096
/** Handed out but maybe not bound yet, oldest first, so that concurrent starts get different ports. */
const reserved = new Map<number, number>()

/** Below are those that well-known programs listen on. */
const [lowestPort, highestPort] = [10_000, 65_535]

/**
 * A free port at `ip`, not handed out within the last minute by this process, and none of those
 * that the system gives to outgoing connections: one of them could take it before the server
 * listens, even the very connection that asks whether the server is up.
 * Throws when none could be found, or `ip` is not an address of this machine.
 */
export async function findFreePort(ip: string): Promise<number> {
  const now = Date.now()
  for (const [port, until] of reserved) {
    if (until < now || reserved.size > maxReserved) reserved.delete(port)
  }
  const outgoing = await loadOutgoingPorts()
  for (let attempt = 0; attempt < 50; attempt++) {
    const wanted = choosePort(outgoing)
    if (wanted !== 0 && (reserved.has(wanted) || (await isPortTaken(ip, wanted)))) continue
    const port = wanted === 0 ? await listenOnce(ip, 0) : wanted
    if (reserved.has(port)) continue
    reserved.set(port, now + reserveMs)
    return port
  }
  throw new Error(`no free port was found at ${ip === '' ? 'any address' : ip}`)
}

/**
 * One of the ports that are not for outgoing connections; 0, the system's choice, where those leave
 * none. @param outgoing - first and last.
 */
export function choosePort(outgoing: readonly [number, number]): number {
  const [first, last] = outgoing
  const below = Math.max(0, first - lowestPort)
  const firstAbove = Math.max(last + 1, lowestPort)
  const above = highestPort + 1 - firstAbove
  if (below + above === 0) return 0
  const index = randomInt(below + above)
  return index < below ? lowestPort + index : firstAbove + index - below
}

/** Linux says it and lets an administrator change it; others use the range that IANA names. */
async function loadOutgoingPorts(): Promise<[number, number]> {
  const text = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').catch(() => '')
  const found = /^(\d+)\s+(\d+)/.exec(text)
  return found === null ? [49_152, 65_535] : [Number(found[1]), Number(found[2])]
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
