import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readProxyHeader } from './proxy-protocol.ts'

const rest = Buffer.from('GET / HTTP/1.1\r\n')
const v2 = (tail: number[], payload: Buffer = Buffer.alloc(0)): Buffer =>
  Buffer.concat([
    Buffer.from('0d0a0d0a000d0a515549540a', 'hex'),
    Buffer.from([...tail, payload.length >> 8, payload.length & 255]),
    payload,
  ])
const ipv4 = Buffer.from([203, 0, 113, 7, 10, 0, 0, 1, 0xc3, 0x50, 0, 80])
const ipv6 = Buffer.concat([
  Buffer.from('20010db8000000000000000000000001', 'hex'),
  Buffer.alloc(16),
  Buffer.from([0xc3, 0x50, 0, 80]),
])
const mapped = Buffer.concat([
  Buffer.from('00000000000000000000ffffcb007107', 'hex'),
  ipv6.subarray(16),
])

test.each([
  ['TCP4', Buffer.from('PROXY TCP4 203.0.113.7 10.0.0.1 50000 80\r\n'), '203.0.113.7'],
  ['TCP6', Buffer.from('PROXY TCP6 2001:db8::1 ::1 50000 80\r\n'), '2001:db8::1'],
  ['UNKNOWN', Buffer.from('PROXY UNKNOWN ffff:: and what not\r\n'), undefined],
  ['binary IPv4', v2([0x21, 0x11], ipv4), '203.0.113.7'],
  ['binary IPv4 with extensions', v2([0x21, 0x11], Buffer.concat([ipv4, ipv6])), '203.0.113.7'],
  ['binary IPv6', v2([0x21, 0x21], ipv6), '2001:db8::1'],
  ['binary, an IPv4 in an IPv6', v2([0x21, 0x21], mapped), '::ffff:203.0.113.7'],
  ['LOCAL', v2([0x20, 0x00]), undefined],
  ['a Unix socket', v2([0x21, 0x31], Buffer.alloc(216)), undefined],
])('%s is read, however it is cut', (_name, header, address) => {
  const expected = {
    kind: 'header',
    length: header.length,
    ...(address !== undefined && { peer: { address, port: 50_000 } }),
  }
  expect(readProxyHeader(Buffer.concat([header, rest]))).toEqual(expected)
  for (let end = 0; end < header.length; end += 1) {
    expect(readProxyHeader(header.subarray(0, end))).toEqual({ kind: 'incomplete' })
  }
})

test.each([
  ['no header', rest],
  ['another protocol', Buffer.from('PROXY UDP4 1.1.1.1 1.1.1.1 1 1\r\n')],
  ['an address of the other kind', Buffer.from('PROXY TCP4 ::1 ::1 1 1\r\n')],
  ['a zone', Buffer.from('PROXY TCP6 fe80::1%lo ::1 1 1\r\n')],
  ['a port above the last', Buffer.from('PROXY TCP4 1.1.1.1 1.1.1.1 65536 1\r\n')],
  ['a port with a zero before it', Buffer.from('PROXY TCP4 1.1.1.1 1.1.1.1 080 1\r\n')],
  ['one word more', Buffer.from('PROXY TCP4 1.1.1.1 1.1.1.1 1 1 x\r\n')],
  ['two spaces', Buffer.from('PROXY  TCP4 1.1.1.1 1.1.1.1 1 1\r\n')],
  ['a line without end', Buffer.from(`PROXY UNKNOWN ${'x'.repeat(200)}`)],
  ['a bare line feed', Buffer.from(`PROXY TCP4 1.1.1.1 1.1.1.1 1 1\n${'x'.repeat(200)}\r\n`)],
  ['version 3', v2([0x31, 0x11], ipv4)],
  ['an unknown command', v2([0x22, 0x11], ipv4)],
  ['too short a payload', v2([0x21, 0x11], Buffer.alloc(4))],
  ['an unknown family', v2([0x21, 0x41], ipv4)],
  ['a payload without bound', v2([0x21, 0x11], Buffer.alloc(5000))],
])('%s is refused', (_name, bytes) => {
  expect(readProxyHeader(bytes)).toEqual({ kind: 'invalid' })
})

test('any bytes are read without a throw, and a header never reaches past what is there', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(
        Buffer.from('PROXY TCP4 '),
        v2([0x21, 0x11]).subarray(0, 14),
        Buffer.alloc(0),
      ),
      fc.uint8Array({ maxLength: 300 }),
      (start, tail) => {
        const bytes = Buffer.concat([start, tail])
        const found = readProxyHeader(bytes)
        if (found.kind === 'header') expect(found.length).toBeLessThanOrEqual(bytes.length)
      },
    ),
  )
})
