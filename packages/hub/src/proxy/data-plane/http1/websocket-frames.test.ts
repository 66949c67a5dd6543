import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FrameFollower, pingFrame, pongBytes, stop } from './websocket-frames.ts'

/** A frame as it goes over the wire. */
function frame(
  first: number,
  payload: Buffer,
  options: { readonly isMasked: boolean; readonly lengthBytes?: 0 | 2 | 8 },
): Buffer {
  const fitting = payload.length < 126 ? 0 : payload.length < 65_536 ? 2 : 8
  const lengthBytes = Math.max(fitting, options.lengthBytes ?? 0)
  const size = Buffer.alloc(lengthBytes)
  if (lengthBytes === 2) size.writeUInt16BE(payload.length)
  if (lengthBytes === 8) size.writeBigUInt64BE(BigInt(payload.length))
  const short = lengthBytes === 0 ? payload.length : lengthBytes === 2 ? 126 : 127
  const head = Buffer.concat([Buffer.of(first, short | (options.isMasked ? 0x80 : 0)), size])
  if (!options.isMasked) return Buffer.concat([head, payload])
  const key = Buffer.from([1, 2, 3, 4])
  return Buffer.concat([head, key, payload.map((byte, i) => byte ^ (key[i & 3] ?? 0))])
}

/** Follows bytes in pieces, as a tunnel does. @returns why it stopped at last */
function followAll(follower: FrameFollower, pieces: readonly Buffer[]): number {
  let held = Buffer.alloc(0)
  for (const piece of pieces) {
    const chunk = Buffer.concat([held, piece])
    held = chunk.subarray(follower.follow(chunk, 0, false))
  }
  return FrameFollower.stopped
}

const payload = fc.oneof(
  fc.uint8Array({ maxLength: 130 }),
  fc.uint8Array({ minLength: 65_530, maxLength: 65_545 }),
)
const frames = fc.array(
  fc.record({
    first: fc.constantFrom(0x81, 0x82, 0xc1, 0xc2, 0x01, 0x02),
    payload,
    lengthBytes: fc.constantFrom(0 as const, 2 as const, 8 as const),
  }),
  { minLength: 1, maxLength: 6 },
)

test('boundaries are found however the bytes are cut', () => {
  const property = fc.property(
    fc.constantFrom('client' as const, 'server' as const),
    frames,
    fc.array(fc.nat(70_000), { maxLength: 12 }),
    (from, sent, cuts) => {
      const isMasked = from === 'client'
      const parts = sent.map((one) =>
        frame(one.first, Buffer.from(one.payload), { isMasked, lengthBytes: one.lengthBytes }),
      )
      const bytes = Buffer.concat(parts)
      const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length]
      places.sort((a, b) => a - b)
      const pieces = places.slice(1).map((to, i) => bytes.subarray(places[i], to))
      const follower = new FrameFollower(from)
      expect(followAll(follower, pieces)).toBe(stop.end)
      expect(follower.isBetweenFrames).toBe(true)
      // The same bytes in one piece, stopping between any two frames.
      let at = 0
      for (const part of parts) {
        const next = at + part.length
        const inside = at + 15
        if (inside < next) expect(follower.follow(bytes.subarray(0, inside), at, true)).toBe(at)
        if (inside < next) follower.follow(bytes.subarray(0, inside), at, false)
        at = follower.follow(bytes.subarray(0, next), inside < next ? inside : at, inside < next)
        expect(at).toBe(next)
      }
    },
  )
  fc.assert(property, { numRuns: 60 })
})

// Name, who sends, bytes.
test.each([
  ['text that is no frame', 'server', 'echo:hello'],
  ['a request', 'client', 'GET / HTTP/1.1\r\n'],
  ['an unmasked frame of a client', 'client', '\x81\x00'],
  ['a masked frame of a server', 'server', '\x81\x80aaaa'],
  ['a control frame in pieces', 'server', '\x09\x00'],
  ['a control frame of 126 bytes', 'server', '\x89\x7e\x00\x7e'],
  ['a continuation of nothing', 'server', '\x80\x00'],
  ['an unknown code', 'server', '\x83\x00'],
  ['an unknown bit', 'server', '\xa1\x00'],
  ['a length past counting', 'server', '\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00'],
] as const)('%s is not followed', (_name, from, text) => {
  const follower = new FrameFollower(from)
  expect(follower.follow(Buffer.from(text, 'latin1'), 0, false)).toBe(0)
  expect(FrameFollower.stopped).toBe(stop.invalid)
})

test("a client's answer to our ping is told from its other pongs", () => {
  const mine = frame(0x8a, pingFrame.subarray(2), { isMasked: true })
  expect(mine).toHaveLength(pongBytes)
  const other = frame(0x8a, Buffer.from('12345678'), { isMasked: true })
  const follower = new FrameFollower('client')
  const bytes = Buffer.concat([other, mine])
  expect(follower.follow(bytes, 0, false)).toBe(other.length)
  expect(FrameFollower.stopped).toBe(stop.ownPong)
  for (let length = 1; length < pongBytes; length += 1) {
    expect(follower.follow(mine.subarray(0, length), 0, false)).toBe(0)
    expect(FrameFollower.stopped).toBe(stop.partial)
  }
})
