import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A relay in front of a TCP server that can lose connections without a word, as networks do. */
export interface TcpRelay {
  readonly port: number
  /** From now on nothing passes on connections that have sent this text; nothing is closed either. */
  silence(text: string): number
  close(): Promise<void>
}

interface Link {
  readonly client: Socket
  readonly server: Socket
  sent: string
  isSilent: boolean
}

/** What a client has sent is remembered up to this many characters. */
const maxRemembered = 100_000

export async function startTcpRelay(target: { host: string; port: number }): Promise<TcpRelay> {
  const links = new Set<Link>()
  const relay = createServer((client) => {
    const link: Link = { client, server: connect(target), sent: '', isSilent: false }
    links.add(link)
    client.on('data', (bytes) => {
      if (link.sent.length < maxRemembered) link.sent += bytes.toString('latin1')
      if (!link.isSilent) link.server.write(bytes)
    })
    link.server.on('data', (bytes) => {
      if (!link.isSilent) client.write(bytes)
    })
    for (const [socket, other] of [
      [client, link.server],
      [link.server, client],
    ] as const) {
      socket.on('error', () => undefined) // `close` follows
      socket.on('close', () => {
        links.delete(link)
        other.destroy()
      })
    }
  })
  relay.listen(0, '127.0.0.1')
  await once(relay, 'listening')
  return {
    port: (relay.address() as AddressInfo).port, // it listens on a port
    silence(text) {
      const chosen = [...links].filter((link) => link.sent.includes(text))
      for (const link of chosen) link.isSilent = true
      return chosen.length
    },
    async close() {
      for (const link of links) link.client.destroy()
      relay.close()
      await once(relay, 'close')
    },
  }
}
