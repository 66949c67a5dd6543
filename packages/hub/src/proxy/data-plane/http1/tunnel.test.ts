import { once } from 'node:events'
import { duplexPair } from 'node:stream'
import { afterEach, expect, test, vi } from 'vitest'
import type { Route } from '../../route.ts'
import { startTunnel, Tunnels } from './tunnel.ts'

const tunnels = new Tunnels(0, 1000)
afterEach(() => tunnels.destroy())

test.each(['near', 'far'] as const)(
  'the %s side may have ended before there is a tunnel',
  async (which) => {
    const [near, client] = duplexPair()
    const [far, target] = duplexPair()
    const [ended, other] = which === 'near' ? [near, target] : [far, client]
    const peer = which === 'near' ? client : target
    peer.resume().end()
    ended.resume()
    await once(ended, 'end')
    let got = ''
    other.on('data', (chunk: Buffer) => (got += chunk.toString()))
    const isEnded = once(other, 'end')
    let released = 0
    const activity = {
      route: {} as Route, // no place is looked at
      onActivity: () => undefined,
      release: () => (released += 1),
    }
    startTunnel(tunnels, {
      near: { socket: near, early: Buffer.from(which === 'near' ? 'early' : '') },
      far: { socket: far, early: Buffer.from(which === 'far' ? 'early' : '') },
      activity,
      isWebSocket: false,
    })
    await isEnded
    await vi.waitUntil(() => released > 0)
    expect([got, tunnels.size, released]).toEqual(['early', 0, 1])
  },
)
