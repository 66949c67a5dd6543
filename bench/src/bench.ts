import type { Backend } from './backends.ts'
import type { LoadClient } from './load-client.ts'
import type { ProxyKind, ProxyPeer } from './proxies.ts'
import { addRoute } from './route-api.ts'
import type { Samples } from './table.ts'

/** What the rows are measured with. */
export interface Bench {
  readonly client: LoadClient
  readonly rounds: number
  /** Of one measurement. */
  readonly seconds: number
  /** Of files that a process may open. */
  readonly fileLimit: number
  /** Prints what is left out or not as it should be. */
  note(text: string): void
}

/** Starts what is on the machine, with a route to the backend, and ends it all whatever happens. */
export async function withPeers<T>(
  kinds: readonly ProxyKind[],
  startTarget: () => Promise<Backend>,
  use: (peers: readonly ProxyPeer[], backend: Backend) => Promise<T>,
): Promise<T> {
  const backend = await startTarget()
  const peers: ProxyPeer[] = []
  try {
    for (const kind of kinds.filter(({ missing }) => missing === undefined)) {
      const peer = await kind.start(backend)
      peers.push(peer)
      if (peer.apiPort !== undefined) await addRoute(peer, '/user/ada', backend.url)
    }
    return await use(peers, backend)
  } finally {
    await Promise.all(peers.map((peer) => peer.stop()))
    await backend.stop()
  }
}

/** Rounds of a measurement over all peers, interleaved; each round begins with another. */
export async function interleaved<T>(
  peers: readonly ProxyPeer[],
  rounds: number,
  measure: (peer: ProxyPeer) => Promise<T>,
): Promise<Samples<T>> {
  const samples = new Map<string, T[]>(peers.map((peer) => [peer.name, []]))
  for (let round = 0; round < rounds; round += 1) {
    for (let i = 0; i < peers.length; i += 1) {
      const peer = peers[(i + round) % peers.length]
      if (peer !== undefined) samples.get(peer.name)?.push(await measure(peer))
    }
  }
  return samples
}
