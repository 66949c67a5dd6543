import { InvalidArgumentError } from 'commander'
import { expect, test } from 'vitest'
import {
  nameOf,
  parseCount,
  parseDuration,
  parseObject,
  parseOnOff,
  parseProperty,
  parseServer,
} from './arguments.ts'
import { toApiUrl } from './connection.ts'

test.each<[string, (text: string) => unknown, unknown]>([
  ['90', parseDuration, 90_000],
  ['15m', parseDuration, 900_000],
  ['30d', parseDuration, 2_592_000_000],
  ['0', parseCount, 0],
  ['on', parseOnOff, true],
  ['ada', parseServer, { user: 'ada' }],
  ['ada/', parseServer, { user: 'ada' }],
  ['ada/gpu', parseServer, { user: 'ada', server: 'gpu' }],
  ['{"a":[1]}', parseObject, { a: [1] }],
  ['a=1', parseProperty, { a: 1 }],
  ['a=b=c', parseProperty, { a: 'b=c' }],
  ['a=', parseProperty, { a: '' }],
  ['https://hub.test', toApiUrl, 'https://hub.test/hub/api'],
  ['https://hub.test/x/', toApiUrl, 'https://hub.test/x/hub/api'],
  ['http://hub.test/x/hub', toApiUrl, 'http://hub.test/x/hub/api'],
  ['http://127.0.0.1:8081/hub/api/', toApiUrl, 'http://127.0.0.1:8081/hub/api'],
])('%j is read', (text, read, value) => {
  expect(read(text)).toEqual(value)
})

test.each<[string, (text: string) => unknown]>([
  ['', parseDuration],
  ['0', parseDuration],
  ['1y', parseDuration],
  ['-1', parseCount],
  ['1e3', parseCount],
  ['yes', parseOnOff],
  ['', parseServer],
  ['/gpu', parseServer],
  ['[]', parseObject],
  ['null', parseObject],
  ['{', parseObject],
  ['a', parseProperty],
  ['=b', parseProperty],
])('%j is refused', (text, read) => {
  expect(() => read(text)).toThrow(InvalidArgumentError)
})

test.each(['hub.test', 'ftp://hub.test', '', 'javascript:0'])('%j is no address', (text) => {
  expect(() => toApiUrl(text)).toThrow(/no address/)
})

test('the name of a server is written as it is read', () => {
  for (const name of ['ada', 'ada/gpu']) expect(nameOf(parseServer(name))).toBe(name)
})
