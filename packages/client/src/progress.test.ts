import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { createClient } from './client.ts'
import type { ServerEvent } from './progress.ts'

/** What one connection gets. */
type Connection = (response: ServerResponse) => void

const servers: ReturnType<typeof createServer>[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

/** A party that is not the hub: it drops, stalls and lies in the ways that networks do. */
async function serve(...connections: Connection[]) {
  let count = 0
  const server = createServer((_request, response) => {
    const answer = connections[Math.min(count++, connections.length - 1)]
    answer?.(response)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const hub = createClient({ url: `http://127.0.0.1:${port}/hub/api`, token: 't' })
  return { hub, connections: () => count }
}

const requested = { progress: 0, message: 'Server requested' }
const pulling = { progress: 50, message: 'Pulling' }
const ready = { progress: 100, ready: true, message: 'Ready', url: '/user/ada/' }

function stream(events: readonly unknown[], end: 'end' | 'drop' | 'stall'): Connection {
  return (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('\n\n')
    for (const event of events) response.write(`data: ${JSON.stringify(event)}\n\n`)
    if (end === 'end') response.end()
    if (end === 'drop') setTimeout(() => response.destroy(), 20)
  }
}

async function collect(events: AsyncIterable<ServerEvent>) {
  const all: ServerEvent[] = []
  for await (const event of events) all.push(event)
  return all
}

const refuse =
  (status: number, headers: Record<string, string> = {}): Connection =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify({ status, message: `no: ${status}` }))
  }

describe('progress', () => {
  test('goes on over dropped connections and repeats nothing', async () => {
    const { hub, connections } = await serve(
      stream([requested, pulling], 'drop'),
      refuse(503),
      stream([requested], 'end'),
      stream([requested, pulling, { message: 'Started' }, ready], 'end'),
    )
    const events = await collect(hub.servers.progress({ user: 'ada' }))
    expect(events.map((event) => ('message' in event ? event.message : event.error))).toEqual([
      'Server requested',
      'Pulling',
      'Started',
      'Ready',
    ])
    expect(events.at(-1)).toMatchObject({ kind: 'ready', url: '/user/ada/' })
    expect(connections()).toBe(4)
  })

  test('leaves a connection on which nothing arrives', async () => {
    const { hub } = await serve(stream([requested], 'stall'), stream([requested, ready], 'end'))
    const events = await collect(hub.servers.progress({ user: 'ada' }, { silenceMs: 100 }))
    expect(events.map(({ kind }) => kind)).toEqual(['progress', 'ready'])
  })

  test('ends with the failure of the start', async () => {
    const failed = { progress: 100, failed: true, message: 'Spawn failed: no memory' }
    const { hub, connections } = await serve(stream([requested, failed, pulling], 'end'))
    const events = await collect(hub.servers.progress({ user: 'ada' }))
    expect(events.map(({ kind }) => kind)).toEqual(['progress', 'failed'])
    expect(connections()).toBe(1)
  })

  test.each<[string, Connection, string, number]>([
    ['a refusal', refuse(404), 'refused', 1],
    ['an event that is none', stream(['text'], 'end'), 'malformed', 1],
    ['something else', (response) => response.end('<html>'), 'malformed', 1],
    ['an address that never works', (response) => response.destroy(), 'unreachable', 3],
  ])('is lost by %s', async (_what, answer, kind, attempts) => {
    const { hub, connections } = await serve(answer)
    const events = await collect(hub.servers.progress({ user: 'ada' }))
    expect(events).toMatchObject([{ kind: 'lost', error: { kind } }])
    expect(connections()).toBe(attempts)
  })

  test('ends with the signal and at the deadline', async () => {
    const { hub } = await serve(stream([requested], 'stall'))
    const controller = new AbortController()
    const seen: ServerEvent[] = []
    for await (const event of hub.servers.progress({ user: 'a' }, { signal: controller.signal })) {
      seen.push(event)
      controller.abort()
    }
    expect(seen.at(-1)).toMatchObject({ kind: 'lost', error: { kind: 'aborted' } })
    const late = await collect(hub.servers.progress({ user: 'a' }, { timeoutMs: 100 }))
    expect(late.at(-1)).toMatchObject({ kind: 'lost', error: { kind: 'timeout' } })
  })

  test('closes its connection when nobody listens any more', async () => {
    let isClosed: () => void = () => undefined
    const closed = new Promise<void>((resolve) => {
      isClosed = resolve
    })
    const { hub } = await serve((response) => {
      response.on('close', isClosed)
      stream([requested], 'stall')(response)
    })
    for await (const _event of hub.servers.progress({ user: 'ada' })) break
    await closed
  })
})
