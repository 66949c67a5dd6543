import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { json } from 'node:stream/consumers'
import {
  edgePaths,
  formatEdgeMessage,
  routesPerPiece,
} from '../../packages/hub/src/proxy/edge-protocol.ts'

/** The hub's side of what edges follow, without a hub. */
export interface FakeHub {
  readonly url: string
  /**
   * Tells of a route to itself, where every request is answered with 204. Resolves once an edge has
   * acknowledged it.
   */
  set(routespec: string): Promise<void>
  /** Has every edge take the whole table once more; resolves once one has acknowledged it. */
  resend(): Promise<void>
  stop(): Promise<void>
}

/** @param count - routes that it has from the start: `/user/hub-0/` and so on. */
export async function startFakeHub(target: string, count: number): Promise<FakeHub> {
  const streams = new Set<ServerResponse>()
  const lines = snapshotLines(target, count)
  let seq = 1
  let onAck: (seq: number) => void = () => undefined
  const server = createServer((req, res) => {
    if (req.url?.endsWith(edgePaths.ack) === true) {
      void json(req).then((body) => onAck((body as { readonly seq: number }).seq))
      return void res.writeHead(200).end('{}')
    }
    req.resume()
    if (req.method !== 'GET') return void res.writeHead(204).end()
    if (req.url?.includes(edgePaths.routes) !== true) return void res.writeHead(204).end()
    streams.add(res)
    res.on('close', () => streams.delete(res))
    Readable.from(lines).pipe(res, { end: false })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const own = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: `${own}/hub/`,
    set(routespec) {
      seq += 1
      const wanted = seq
      const line = formatEdgeMessage({ type: 'set', seq, routespec, target: own, data: {} })
      return new Promise((resolve) => {
        onAck = (acked) => {
          if (acked >= wanted) resolve()
        }
        for (const stream of streams) stream.write(line)
      })
    },
    resend() {
      return new Promise((resolve) => {
        onAck = () => resolve()
        for (const stream of streams) stream.destroy()
      })
    },
    async stop() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

/** A snapshot in pieces, as a hub tells it. */
function snapshotLines(target: string, count: number): string[] {
  const lines: string[] = []
  for (let from = 0; from < count; from += routesPerPiece) {
    const to = Math.min(from + routesPerPiece, count)
    const routes = Array.from({ length: to - from }, (_, i) => ({
      routespec: `/user/hub-${from + i}/`,
      target,
      data: { user: `hub-${from + i}`, server_name: '' },
    }))
    const piece = { routes, ...(to < count && { more: true as const }) }
    lines.push(
      formatEdgeMessage(
        from === 0
          ? { type: 'snapshot', epoch: 'bench', seq: 1, ...piece }
          : { type: 'routes', ...piece },
      ),
    )
  }
  return lines
}
