import { beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../support/ports.ts'
import * as kit from './peer-kit.ts'
import type { Peer } from './peer-kit.ts'
import { readSamples, readTypes } from '../../../src/proxy/data-plane/metrics/metrics-test-kit.ts'

/** Source: contract proxy §8. */

interface Scraped {
  readonly status: number
  readonly type: string | null
  readonly text: string
}

/** The same requests for each program; then what its metrics say. */
async function scrapeAfterRequests(program: kit.Program): Promise<{
  readonly first: Scraped
  readonly last: Scraped
  readonly others: number[]
}> {
  const metricsPort = await freePort()
  const peer = await kit.start(program, [
    '--metrics-ip',
    '127.0.0.1',
    '--metrics-port',
    `${metricsPort}`,
  ])
  const scrape = async (path = '/metrics'): Promise<Scraped> => {
    const answer = await fetch(`http://127.0.0.1:${metricsPort}${path}`)
    const type = answer.headers.get('content-type')
    return { status: answer.status, type, text: await answer.text() }
  }
  const first = await scrape()
  await useIt(peer)
  const last = await scrape()
  const others: number[] = []
  for (const path of ['/', '/metrics?x', '/metrics/']) others.push((await scrape(path)).status)
  return { first, last, others }
}

async function useIt(peer: Peer): Promise<void> {
  const target = await kit.serve((req, res) =>
    res.writeHead(Number(req.url?.split('/').at(-1))).end(),
  )
  await peer.addRoute('/a', target.url)
  await peer.addRoute('/dead', kit.deadTarget)
  await peer.addRoute('/bad', 'nonsense')
  await peer.routes()
  await peer.api('/a')
  await peer.api('/none')
  await peer.api('/dead/none', { method: 'DELETE' })
  for (const status of [200, 204, 302, 404, 500]) await peer.ask(`/a/${status}`)
  await peer.ask('/_chp_healthz')
  for (const path of ['/nowhere', '/dead/x', '/bad/x']) await (await peer.ask(path)).text()
  for (const path of ['/a/200', '/dead', '/nowhere']) await refusedUpgrade(peer, path)
}

/** An upgrade that becomes no WebSocket. */
async function refusedUpgrade(peer: Peer, path: string): Promise<void> {
  await kit.raw(peer.port, kit.upgrade(path), /^HTTP\/1.1 \d+/)
}

describe('metrics', () => {
  const got = new Map<boolean, Awaited<ReturnType<typeof scrapeAfterRequests>>>()
  const of = (isOurs: boolean): Awaited<ReturnType<typeof scrapeAfterRequests>> => {
    const found = got.get(isOurs)
    if (found === undefined) throw new Error('not measured')
    return found
  }
  beforeAll(async () => {
    for (const program of kit.programs) got.set(program.isOurs, await scrapeAfterRequests(program))
  })

  test('every metric of configurable-http-proxy is there, of the same type', () => {
    const theirs = readTypes(of(false).last.text)
    expect(theirs.get('requests_proxy')).toBe('counter')
    expect(Object.fromEntries(readTypes(of(true).last.text))).toMatchObject(
      Object.fromEntries(theirs),
    )
  })

  test('labels and counts are the same after the same requests', () => {
    const counted = /^(api_route|requests|find_target|last_activity)_(?!.*_sum$)/
    const counts = ({ text }: Scraped): object =>
      Object.fromEntries(
        [...readSamples(text)]
          .filter(([name]) => counted.test(name))
          // How long things took differs; that it is told does not.
          .map(([name, value]) => [name, name.includes('quantile') ? 'time' : value]),
      )
    expect(counts(of(true).first)).toEqual(counts(of(false).first))
    expect(counts(of(true).last)).toEqual(counts(of(false).last))
    expect(of(false).last.text).toContain('requests_proxy{status="404"} 3')
  })

  test('address and form are the same', () => {
    const formOf = (isOurs: boolean): unknown => {
      const { last, others } = of(isOurs)
      return [last.status, last.type, others]
    }
    expect(formOf(true)).toEqual(formOf(false))
    expect(formOf(false)).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
      [404, 404, 404],
    ])
  })
})
