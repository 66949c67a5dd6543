import { request } from 'node:http'
import type { Backend } from './backends.ts'
import type { ProxyPeer } from './proxies.ts'

export const token = 'bench-token-0123456789abcdef'

/** Adds a route; resolves once it is answered for. */
export function addRoute(peer: ProxyPeer, path: string, target: string): Promise<void> {
  const body = JSON.stringify({ target })
  return changeRoute(peer, path, { method: 'POST', body, wanted: 201 })
}

export function deleteRoute(peer: ProxyPeer, path: string): Promise<void> {
  return changeRoute(peer, path, { method: 'DELETE', body: '', wanted: 204 })
}

export function changeRoute(
  peer: Pick<ProxyPeer, 'name' | 'apiPort'>,
  path: string,
  change: {
    readonly method: string
    readonly body: string
    readonly wanted: number
    /** Over a connection of its own: one that is kept may be closed just when it is used again. */
    readonly isAlone?: boolean
  },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port: peer.apiPort,
      path: `/api/routes${path}`,
      method: change.method,
      ...(change.isAlone === true && { agent: false }),
      headers: { Authorization: `token ${token}` },
    }
    const sent = request(options, (answer) => {
      answer.resume()
      if (answer.statusCode === change.wanted) resolve()
      else
        reject(new Error(`${change.method} of a route of ${peer.name} gave ${answer.statusCode}`))
    })
    sent.once('error', reject)
    sent.end(change.body)
  })
}

export const routeTarget = (backend: Backend) => ({
  token,
  body: JSON.stringify({ target: backend.url, user: 'ada', server_name: '', jupyterhub: true }),
})
