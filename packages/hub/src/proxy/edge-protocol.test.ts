import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  EdgeProtocolError,
  formatEdgeMessage,
  maxActivityRoutes,
  parseEdgeAck,
  parseEdgeActivity,
  parseEdgeMessage,
} from './edge-protocol.ts'
import type { EdgeMessage } from './edge-protocol.ts'
import { maxRoutespecLength } from './routespec.ts'
import type { JsonObject } from '../util/json.ts'

const seq = fc.maxSafeNat()
const shortText = fc.string({ minLength: 1, maxLength: 50, unit: 'binary' })
const data = fc
  .dictionary(fc.oneof(fc.string(), fc.constant('__proto__')), fc.jsonValue())
  // As the receiver has it: JSON knows neither -0 nor objects without a prototype.
  .map((value) => JSON.parse(JSON.stringify(value)) as JsonObject)
const route = fc.record(
  { routespec: shortText, target: shortText, data },
  { noNullPrototype: true },
)
const message: fc.Arbitrary<EdgeMessage> = fc.oneof(
  fc.constant({ type: 'ping' } as const),
  fc.record(
    { type: fc.constant('resume' as const), epoch: shortText, seq },
    { noNullPrototype: true },
  ),
  fc.tuple(route, seq).map(([one, at]) => ({ type: 'set' as const, seq: at, ...one })),
  fc.record(
    { type: fc.constant('delete' as const), seq, routespec: shortText },
    { noNullPrototype: true },
  ),
  fc.record(
    {
      type: fc.constant('snapshot' as const),
      epoch: shortText,
      seq,
      routes: fc.array(route),
      more: fc.constant(true as const),
    },
    { noNullPrototype: true, requiredKeys: ['type', 'epoch', 'seq', 'routes'] },
  ),
  fc.record(
    {
      type: fc.constant('routes' as const),
      routes: fc.array(route),
      more: fc.constant(true as const),
    },
    { noNullPrototype: true, requiredKeys: ['type', 'routes'] },
  ),
)

/** Passes when the call returns or throws the one error that it may. */
function mayOnlyRefuse(call: () => unknown): void {
  try {
    call()
  } catch (error) {
    expect(error).toBeInstanceOf(EdgeProtocolError)
  }
}

describe('messages', () => {
  test('are read as they were written, each on one line', () => {
    fc.assert(
      fc.property(message, (sent) => {
        const line = formatEdgeMessage(sent)
        expect(line.indexOf('\n')).toBe(line.length - 1)
        expect(parseEdgeMessage(line)).toStrictEqual(sent)
      }),
    )
  })

  test('a route without data has none', () => {
    const line = '{"type":"set","seq":1,"routespec":"/x/","target":"http://h"}'
    expect(parseEdgeMessage(line)).toMatchObject({ data: {} })
  })

  test.each([
    ['', 'not JSON'],
    ['{"type":"set","seq":1', 'not JSON'],
    ['null', 'not an object'],
    ['[]', 'not an object'],
    ['{}', "'type'"],
    ['{"type":"gossip"}', 'unknown type'],
    ['{"type":"resume","seq":1}', "'epoch'"],
    ['{"type":"resume","epoch":"","seq":1}', "'epoch'"],
    ['{"type":"resume","epoch":"e","seq":-1}', "'seq'"],
    ['{"type":"resume","epoch":"e","seq":1.5}', "'seq'"],
    ['{"type":"resume","epoch":"e","seq":"1"}', "'seq'"],
    ['{"type":"resume","epoch":"e","seq":9007199254740992}', "'seq'"],
    ['{"type":"delete","seq":1}', "'routespec'"],
    ['{"type":"set","seq":1,"routespec":"/x/","target":5}', "'target'"],
    ['{"type":"set","seq":1,"routespec":"/x/","target":"http://h","data":[]}', "'data'"],
    ['{"type":"snapshot","epoch":"e","seq":1,"routes":{}}', "'routes'"],
    ['{"type":"routes"}', "'routes'"],
    ['{"type":"routes","routes":[5]}', 'a route'],
    ['{"type":"snapshot","epoch":"e","seq":1,"routes":[null]}', 'a route'],
    [`{"type":"delete","seq":1,"routespec":"${'x'.repeat(maxRoutespecLength + 1)}"}`, 'short'],
  ])('%j is refused', (line, reason) => {
    expect(() => parseEdgeMessage(line)).toThrow(EdgeProtocolError)
    expect(() => parseEdgeMessage(line)).toThrow(reason)
  })

  test('garbage is refused with the one error that callers expect', () => {
    const mangled = fc.tuple(message, fc.nat(), fc.string()).map(([sent, at, junk]) => {
      const line = formatEdgeMessage(sent)
      const cut = at % line.length
      return line.slice(0, cut) + junk + line.slice(cut + 1)
    })
    const typed = fc
      .record({
        type: fc.constantFrom('ping', 'resume', 'set', 'delete', 'snapshot', 'routes', '__proto__'),
        epoch: fc.jsonValue(),
        seq: fc.jsonValue(),
        routes: fc.jsonValue(),
        routespec: fc.jsonValue(),
        target: fc.jsonValue(),
        data: fc.jsonValue(),
      })
      .map((value) => JSON.stringify(value))
    const garbage = fc.oneof(fc.string({ unit: 'binary' }), fc.json(), mangled, typed)
    fc.assert(fc.property(garbage, (line) => mayOnlyRefuse(() => parseEdgeMessage(line))))
  })
})

describe('acknowledgements and activity', () => {
  test('are read as they were sent', () => {
    const routes = fc.dictionary(fc.oneof(shortText, fc.constant('__proto__')), seq)
    fc.assert(
      fc.property(shortText, seq, routes, (edge, at, active) => {
        const ack: unknown = JSON.parse(JSON.stringify({ edge, seq: at }))
        expect(parseEdgeAck(ack)).toEqual({ edge, seq: at })
        const body: unknown = JSON.parse(JSON.stringify({ edge, routes: active }))
        const parsed = parseEdgeActivity(body)
        expect(parsed.edge).toBe(edge)
        expect(Object.entries(parsed.routes)).toEqual(Object.entries(active))
      }),
    )
  })

  test.each([
    [null],
    ['text'],
    [[]],
    [{ edge: 'a' }],
    [{ edge: 'a', seq: Number.NaN }],
    [{ edge: '', seq: 1 }],
    [{ seq: 1 }],
  ])('%j is no acknowledgement', (body) => {
    expect(() => parseEdgeAck(body)).toThrow(EdgeProtocolError)
  })

  const tooMany = Object.fromEntries(
    Array.from({ length: maxActivityRoutes + 1 }, (_, i) => [i, 1]),
  )
  test.each([
    ['no object', null],
    ['no routes', { edge: 'a' }],
    ['a list', { edge: 'a', routes: [] }],
    ['no edge', { routes: {} }],
    ['a negative instant', { edge: 'a', routes: { '/x/': -1 } }],
    ['a date', { edge: 'a', routes: { '/x/': '2026-01-01' } }],
    ['a long routespec', { edge: 'a', routes: { ['x'.repeat(maxRoutespecLength + 1)]: 1 } }],
    ['too many routes', { edge: 'a', routes: tooMany }],
  ])('activity with %s is refused', (_name, body) => {
    expect(() => parseEdgeActivity(body)).toThrow(EdgeProtocolError)
  })

  test('garbage is refused with the one error that callers expect', () => {
    const bodies = fc.oneof(fc.anything(), fc.record({ edge: shortText, routes: fc.anything() }))
    fc.assert(
      fc.property(bodies, (body) => {
        mayOnlyRefuse(() => parseEdgeAck(body))
        mayOnlyRefuse(() => parseEdgeActivity(body))
      }),
    )
  })
})
