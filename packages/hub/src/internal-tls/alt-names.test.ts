import { expect, test } from 'vitest'
import { altNameOfHost, parseAltName, uniqueNames } from './alt-names.ts'

test.each([
  ['DNS:hub.example', 'dns', 'hub.example'],
  ['dns:Hub.Example', 'dns', 'hub.example'],
  ['DNS:*.hub.example', 'dns', '*.hub.example'],
  ['hub_1', 'dns', 'hub_1'],
  ['IP:10.0.0.1', 'ip', '10.0.0.1'],
  ['10.0.0.1', 'ip', '10.0.0.1'],
  ['IP:0:0:0:0:0:0:0:1', 'ip', '::1'],
  ['::1', 'ip', '::1'],
])('%s is the %s name %s', (text, type, value) => {
  expect(parseAltName(text)).toEqual({ type, value })
})

test.each([
  '',
  'IP:hub.example',
  'DNS:10.0.0.1',
  'URI:https://hub.example',
  'email:ada@hub.example',
  'DNS:hub example',
  'DNS:hub.example,DNS:other',
  'DNS:-hub',
  'IP:fe80::1%eth0',
  `DNS:${'a'.repeat(300)}`,
])('%s is no name', (text) => {
  expect(parseAltName(text)).toBeUndefined()
})

test('an address to listen on everywhere is no name, and names are listed once', () => {
  expect(altNameOfHost('0.0.0.0')).toBeUndefined()
  expect(altNameOfHost('[::]')).toBeUndefined()
  const one = { type: 'ip', value: '::1' } as const
  expect(uniqueNames([one, { type: 'dns', value: '::1' }, { ...one }])).toHaveLength(2)
})
