import { beforeAll, describe, expect, test } from 'vitest'
import * as kit from './peer-kit.ts'
import type { Peer } from './peer-kit.ts'

/** Source: contract proxy §4.1. Loopback is a proxy in front, as far as the edge knows. */

const names = /^(?:x[-_]forwarded[-_].*|x[-_]real[-_]ip|x[-_]scheme|forwarded)$/i

type Lines = readonly (readonly [name: string, value: string])[]

type Pair = readonly (string | undefined)[]
const byName = ([a = '']: Pair, [b = '']: Pair): number => (a < b ? -1 : a > b ? 1 : 0)

/** A target that tells of identity fields as they came, and joins WebSockets with the same words. */
async function serveIdentity(): Promise<string> {
  const tell = (raw: readonly string[]): string => {
    const pairs = raw.flatMap((name, i) => (i % 2 === 0 ? [[name, raw[i + 1] ?? '']] : []))
    return JSON.stringify(pairs.filter(([name = '']) => names.test(name)))
  }
  const server = await kit.serve((req, res) => void res.end(tell(req.rawHeaders)))
  server.on('upgrade', (req, socket) => {
    socket.end(`HTTP/1.1 403 No\r\nConnection: close\r\n\r\n${tell(req.rawHeaders)}`)
  })
  return server.url
}

const targetUrl = serveIdentity()

async function identity(peer: Peer, sent: string, isUpgrade = false): Promise<Lines> {
  const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'
  const text = `GET /x HTTP/1.1\r\nHost: hub.test:81\r\n${isUpgrade ? upgrade : 'Connection: close\r\n'}${sent}\r\n`
  const got = await kit.raw(peer.port, text)
  const lines = JSON.parse(/\[.*\]/s.exec(got)?.[0] ?? '[]') as Lines
  return lines.map(([name, value]) => [name.toLowerCase(), value] as const).toSorted(byName)
}

const theirs = [
  'X-Forwarded-For: 1.2.3.4',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Port: 444',
  'X-Forwarded-Host: front.test',
  'X-Real-Ip: 1.2.3.4',
  'X-Scheme: https',
  'Forwarded: for=1.2.3.4;proto=https',
  'X-Forwarded-Prefix: /p',
]
const all = theirs.map((line) => `${line}\r\n`).join('')

const cases: readonly (readonly [title: string, sent: string, isUpgrade: boolean, got: Lines])[] = [
  [
    'nothing is known',
    '',
    false,
    [
      ['x-forwarded-for', '127.0.0.1'],
      ['x-forwarded-host', 'hub.test:81'],
      ['x-forwarded-port', '81'],
      ['x-forwarded-proto', 'http'],
    ],
  ],
  [
    'a proxy in front said who it is',
    all,
    false,
    [
      ['forwarded', 'for=1.2.3.4;proto=https'],
      ['x-forwarded-for', '1.2.3.4,127.0.0.1'],
      ['x-forwarded-host', 'front.test'],
      ['x-forwarded-port', '444,81'],
      ['x-forwarded-prefix', '/p'],
      ['x-forwarded-proto', 'https,http'],
      ['x-real-ip', '1.2.3.4'],
      ['x-scheme', 'https'],
    ],
  ],
  [
    'a WebSocket, of which nothing is known',
    '',
    true,
    [
      ['x-forwarded-for', '127.0.0.1'],
      ['x-forwarded-port', '81'],
      ['x-forwarded-proto', 'ws'],
    ],
  ],
  [
    'a WebSocket, of which a proxy in front said who it is',
    all,
    true,
    [
      ['forwarded', 'for=1.2.3.4;proto=https'],
      ['x-forwarded-for', '1.2.3.4,127.0.0.1'],
      ['x-forwarded-host', 'front.test'],
      ['x-forwarded-port', '444,81'],
      ['x-forwarded-prefix', '/p'],
      ['x-forwarded-proto', 'https,ws'],
      ['x-real-ip', '1.2.3.4'],
      ['x-scheme', 'https'],
    ],
  ],
]

describe.each(kit.programs)('$name', (program) => {
  let peer: Peer
  beforeAll(async () => {
    peer = await kit.start(program, ['--default-target', await targetUrl])
  })

  test.each(cases)('%s', async (_title, sent, isUpgrade, got) => {
    expect(await identity(peer, sent, isUpgrade)).toEqual(got)
  })

  test('several lines of a name are one list', async () => {
    const sent = 'X-Forwarded-For: 1.1.1.1\r\nx-forwarded-for: 2.2.2.2, 3.3.3.3\r\n'
    const got = await identity(peer, sent)
    const value = got.find(([name]) => name === 'x-forwarded-for')?.[1] ?? ''
    expect(value.split(/\s*,\s*/)).toEqual(['1.1.1.1', '2.2.2.2', '3.3.3.3', '127.0.0.1'])
    expect(got.filter(([name]) => name === 'x-forwarded-for')).toHaveLength(1)
  })

  test('with --no-x-forward nothing is added or taken away', async () => {
    const silent = await kit.start(program, ['--no-x-forward', '--default-target', await targetUrl])
    expect(await identity(silent, '')).toEqual([])
    const sent = theirs.map((line) => line.split(': '))
    const lower = sent.map(([name = '', value]) => [name.toLowerCase(), value])
    expect(await identity(silent, all)).toEqual(lower.toSorted(byName))
  })

  test('a custom header wins over what the proxy would say', async () => {
    const flags = [
      '--custom-header',
      'X-Forwarded-Proto: https',
      '--custom-header',
      'X-Scheme:https',
    ]
    const fixed = await kit.start(program, [...flags, '--default-target', await targetUrl])
    const got = await identity(fixed, 'X-Forwarded-Proto: http\r\n')
    const of = (name: string): string[] =>
      got.flatMap(([one, value]) => (one === name ? [value] : []))
    expect([of('x-forwarded-proto'), of('x-scheme')]).toEqual([['https'], ['https']])
    expect(of('x-forwarded-for')).toEqual(['127.0.0.1'])
  })
})
