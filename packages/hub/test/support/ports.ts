import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { randomInt } from 'node:crypto'

/** Below those that systems give to outgoing connections: none of the tests' own can take them. */
const [lowest, highest] = [12_000, 32_000]
/** Claims last as long as the process, so that no other test gets the port meanwhile. */
const claims: Server[] = []

/** A port of this machine for a program that has to be told one; no other test gets it. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const port = randomInt(lowest, highest)
    const claim = await claimFor(port)
    if (claim === undefined) continue
    if (await isFree(port)) {
      claims.push(claim)
      return port
    }
    claim.close()
  }
  throw new Error(`no free port between ${lowest} and ${highest}`)
}

/** Test files run in several processes: a name that only one of them can hold. */
async function claimFor(port: number): Promise<Server | undefined> {
  const claim = createServer().unref()
  if (process.platform !== 'linux') return claim // abstract socket names are Linux's
  return (await listens(claim, `\0orrery-test-port-${port}`)) ? claim : undefined
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer()
  if (!(await listens(probe, port))) return false
  probe.close()
  await once(probe, 'close')
  return true
}

function listens(server: Server, at: number | string): Promise<boolean> {
  return new Promise((resolve) => {
    server.once('listening', () => resolve(true)).once('error', () => resolve(false))
    server.listen(at)
  })
}
