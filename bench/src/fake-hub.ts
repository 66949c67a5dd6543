import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { edgePaths, formatEdgeMessage } from '../../packages/hub/src/proxy/edge-protocol.ts'

/** The hub's side of what edges follow, without a hub. */
export interface FakeHub {
  readonly url: string
  /**
   * Tells of a route to itself, where every request is answered with 204. Resolves once an edge has
   * acknowledged it.
   */
  set(routespec: string): Promise<void>
  stop(): Promise<void>
}

/** @param count - routes that it has from the start: `/user/hub-0/` and so on. */
export async function startFakeHub(target: string, count: number): Promise<FakeHub> {
  const streams = new Set<ServerResponse>()
  const snapshot = formatEdgeMessage({
    type: 'snapshot',
    epoch: 'bench',
    seq: 1,
    routes: Array.from({ length: count }, (_, i) => ({
      routespec: `/user/hub-${i}/`,
      target,
      data: { user: `hub-${i}`, server_name: '' },
    })),
  })
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
    res.write(snapshot)
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
    async stop() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
