import { randomBytes } from 'node:crypto'

/** Why {@link FrameFollower.follow} stopped. */
export const stop = {
  /** At the end of the bytes. */
  end: 0,
  /** Between two frames, as was asked for. */
  boundary: 1,
  /** Before a header, or a pong that may be ours, of which the rest has not come. */
  partial: 2,
  /** Before the answer to a ping of ours, {@link pongBytes} long. */
  ownPong: 3,
  /** Before what is no header of a frame. */
  invalid: 4,
} as const

const opcode = { close: 8, ping: 9, pong: 10 } as const
/** Tells our pings from those of servers; a client sends it back. */
const mark = randomBytes(8)
const finalBit = 0x80
const maskBit = 0x80

/** A ping as a server sends it: no mask. */
export const pingFrame = Buffer.concat([Buffer.of(finalBit | opcode.ping, mark.length), mark])
/** A client's answer to it: two bytes, a mask of four, what we sent. */
export const pongBytes = 2 + 4 + mark.length
/** A close frame as a server sends it: 1001, going away. */
export const goingAwayFrame = Buffer.of(finalBit | opcode.close, 2, 1001 >> 8, 1001 & 0xff)

/**
 * Knows where the frames of one direction of a WebSocket begin and end: reads headers, passes over
 * payloads. Hot path: row P11 of the bench.
 * Source: RFC 6455 §5.2, §5.5; RFC 7692 §6 (`RSV1`).
 */
export class FrameFollower {
  /** A close frame has begun: nothing may follow it. */
  hasClosed = false
  /** Clients mask what they send, servers do not. */
  readonly #mask: number
  /** Bytes of the frame under way that have not come. */
  #left = 0
  #hasBegun = false

  constructor(from: 'client' | 'server') {
    this.#mask = from === 'client' ? maskBit : 0
  }

  get isBetweenFrames(): boolean {
    return this.#left === 0
  }

  /** Why the latest call of {@link follow} stopped. */
  static stopped: number = stop.end

  /**
   * Follows bytes from an index on.
   * @param toBoundary - stop between two frames.
   * @returns where it stopped; {@link FrameFollower.stopped} says why.
   */
  follow(chunk: Buffer, from: number, toBoundary: boolean): number {
    let i = from
    for (;;) {
      if (this.#left > 0) {
        const step = Math.min(this.#left, chunk.length - i)
        this.#left -= step
        i += step
        if (this.#left > 0) return stopped(stop.end, i)
      }
      if (toBoundary) return stopped(stop.boundary, i)
      if (i === chunk.length) return stopped(stop.end, i)
      const length = this.#readHeader(chunk, i)
      if (length < 0) return stopped(-length, i)
      i += length
    }
  }

  /** @returns length of the header, or a negated reason to stop before it */
  #readHeader(chunk: Buffer, at: number): number {
    const available = chunk.length - at
    const first = chunk[at] ?? 0
    const code = first & 0x0f
    const isFinal = (first & finalBit) !== 0
    // Two bits have no meaning in any extension there is, nor have the other codes.
    if ((first & 0x30) !== 0 || (code & 7) > 2 || (code === 0 && !this.#hasBegun)) {
      return -stop.invalid
    }
    if (available < 2) return -stop.partial
    const second = chunk[at + 1] ?? 0
    if ((second & maskBit) !== this.#mask) return -stop.invalid
    let payload = second & 0x7f
    if (code >= opcode.close && (!isFinal || payload > 125)) return -stop.invalid
    const length = payload === 126 ? 4 : payload === 127 ? 10 : 2
    if (available < length) return -stop.partial
    if (payload === 126) payload = chunk.readUInt16BE(at + 2)
    else if (payload === 127) {
      const high = chunk.readUInt32BE(at + 2)
      if (high >= 2 ** 21) return -stop.invalid
      payload = high * 2 ** 32 + chunk.readUInt32BE(at + 6)
    }
    if (this.#mask !== 0) {
      if (code === opcode.pong && payload === mark.length) {
        if (available < pongBytes) return -stop.partial
        if (isOwnPong(chunk, at)) return -stop.ownPong
      }
      // Nothing reads the mask: it counts as payload.
      payload += 4
    }
    if (code === opcode.close) this.hasClosed = true
    this.#hasBegun = true
    this.#left = payload
    return length
  }
}

function stopped(why: number, at: number): number {
  FrameFollower.stopped = why
  return at
}

function isOwnPong(chunk: Buffer, at: number): boolean {
  for (let i = 0; i < mark.length; i += 1) {
    const masked = chunk[at + 6 + i] ?? 0
    if ((masked ^ (chunk[at + 2 + (i & 3)] ?? 0)) !== mark[i]) return false
  }
  return true
}
