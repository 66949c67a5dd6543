import { Agent, request } from 'node:http'
import type { Backend } from '../backends.ts'
import type { ProxyPeer } from '../proxies.ts'
import { routeTarget } from '../route-api.ts'

export interface RouteSample {
  readonly added: number
  readonly addsPerCpuSecond: number
  readonly bytesPerRoute: number
}

export const parallel = 16

/** Adds routes `from` to `to`; what each costs the proxy in CPU time and memory. */
export async function addRoutes(
  peer: ProxyPeer,
  backend: Backend,
  range: { readonly from: number; readonly to: number },
): Promise<RouteSample> {
  const agent = new Agent({ keepAlive: true, maxSockets: parallel })
  const cpuBefore = peer.cpuSeconds()
  const memoryBefore = peer.memoryBytes()
  let next = range.from
  const worker = async (): Promise<void> => {
    while (next < range.to) await add(peer, backend, agent, `/user/user-${next++}`)
  }
  await Promise.all(Array.from({ length: parallel }, worker))
  agent.destroy()
  const added = range.to - range.from
  return {
    added,
    addsPerCpuSecond: added / (peer.cpuSeconds() - cpuBefore),
    bytesPerRoute: (peer.memoryBytes() - memoryBefore) / added,
  }
}

function add(peer: ProxyPeer, backend: Backend, agent: Agent, path: string): Promise<void> {
  const { token, body } = routeTarget(backend)
  return new Promise((resolve, reject) => {
    const options = {
      agent,
      host: '127.0.0.1',
      port: peer.apiPort,
      path: `/api/routes${path}`,
      method: 'POST',
      headers: { Authorization: `token ${token}`, 'Content-Length': Buffer.byteLength(body) },
    }
    request(options, (answer) => {
      answer.resume().once('end', () => {
        if (answer.statusCode === 201) resolve()
        else reject(new Error(`adding a route gave ${answer.statusCode}`))
      })
    })
      .once('error', reject)
      .end(body)
  })
}
