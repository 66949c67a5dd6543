import { Socket } from 'node:net'
import type { SocketConstructorOpts } from 'node:net'
import type { Duplex } from 'node:stream'

/** Most bytes of a read. Bodies come in large pieces where there are few calls of the system. */
const pieceBytes = 256 * 1024
/** So many bytes at once are a body, and more of it follows. */
const bulkBytes = 64 * 1024

/**
 * Bytes of TCP sockets arrive in one piece of memory that all of them share: Node would allocate
 * 64 kB for every read, which costs as much as the whole of a request's routing. So **bytes belong
 * to who gets them only during the call**; what is kept for later is copied.
 * Hot path: rows P9 and P10 of the bench (docs/decisions/0005-own-http1-path.md).
 */
const shared = Buffer.allocUnsafeSlow(pieceBytes)

/** Who takes what a socket reads. */
export interface Receiver {
  /** @param chunk - valid during the call. */
  received(chunk: Buffer): void
}

/** Where a socket finds its receiver: a closure for each would cost memory. */
export const receiver = Symbol('receiver')
const piece = Symbol('piece')
export interface ReceivingSocket extends Duplex {
  [receiver]?: Receiver | undefined
  /** What its next read goes to, while that is not the shared memory. */
  [piece]?: Piece | undefined
}

/** Slow receivers hold theirs for long. When all are taken, each has memory of its own size. */
const maxPieces = 128
/** So many wait to be used again. */
const maxSpares = 16
const spares: Piece[] = []
let pieceCount = 0

/**
 * Memory for a body's bytes: one socket reads them, writes need them. It is used again, since fresh
 * memory costs page faults and, outside of the heap, full collections.
 */
class Piece {
  readonly memory = Buffer.allocUnsafeSlow(pieceBytes)
  /** The socket that reads into it, and writes that have not ended. */
  users = 1
  readonly release = (): void => {
    this.users -= 1
    if (this.users > 0) return
    if (spares.length < maxSpares) spares.push(this)
    else pieceCount -= 1
  }
}

function takePiece(): Piece | undefined {
  const spare = spares.pop()
  if (spare !== undefined) {
    spare.users = 1
    return spare
  }
  if (pieceCount === maxPieces) return undefined
  pieceCount += 1
  return new Piece()
}

/** To be called when a socket with {@link sharedReads} has closed. */
export function releaseMemory(socket: ReceivingSocket): void {
  socket[piece]?.release()
  socket[piece] = undefined
}

/** Holds the chunk under way; none when that is in the shared memory. */
let reading: Piece | undefined
/** Node asks for it right after each read, and for every new socket. */
let nextMemory = shared

/** The `onread` option of sockets whose receiver takes what they read. */
export const sharedReads = {
  buffer(): Buffer {
    const memory = nextMemory
    nextMemory = shared
    return memory
  },
  callback(this: unknown, length: number, buffer: Uint8Array): boolean {
    // Node calls it as a method of the socket, with what `buffer` returned; its types say neither.
    const socket = this as ReceivingSocket
    const memory = buffer as Buffer
    reading = socket[piece]
    socket[receiver]?.received(memory.subarray(0, length))
    if (reading !== undefined || length >= bulkBytes) chooseMemory(socket, length)
    return true
  },
}

/** The next read of a body goes to where it need not be copied, unless its receiver is slower. */
function chooseMemory(socket: ReceivingSocket, length: number): void {
  const before = reading
  reading = undefined
  const isBulk = length >= bulkBytes && !socket.isPaused()
  let after: Piece | undefined
  if (isBulk && !socket.destroyed) after = before?.users === 1 ? before : takePiece()
  if (after !== before) before?.release()
  socket[piece] = after
  if (after !== undefined) nextMemory = after.memory
}

/**
 * Takes an accepted socket over into one that reads into the shared memory; `onread` can be chosen
 * for sockets that connect only. The socket must not have read yet (`pauseOnConnect`).
 */
export function withSharedReads(socket: Socket): Socket {
  const accepted = socket as Socket & { _handle?: object | null }
  const handle = accepted._handle
  if (handle === undefined || handle === null) return socket
  accepted._handle = null
  // Without its handle it closes nothing, and the listener stops counting it.
  accepted.destroy()
  const options = { handle, allowHalfOpen: true, onread: sharedReads }
  // What `net.Server` itself does with a handle; the types know those of bound sockets only.
  return new Socket(options as unknown as SocketConstructorOpts)
}

/** For sockets that read into memory of their own, such as those of TLS. */
export function receiveData(this: ReceivingSocket, chunk: Buffer): void {
  // oxlint-disable-next-line no-this-in-exported-function -- a listener gets its socket as `this`
  this[receiver]?.received(chunk)
}

/** Below this, to go through a string costs less than a buffer and a second write. */
const smallBytes = 12 * 1024
/** So much is put together without a string, where it is likely to be written at once. */
const sheetBytes = 4 * 1024
/** Used again unless what is on it waits for its receiver. */
let sheet = Buffer.allocUnsafeSlow(sheetBytes)

/**
 * Writes text, bytes of a chunk and text, in one call of the system where that is possible.
 * @returns false when the socket holds more than it should
 */
export function writeAround(
  socket: Duplex,
  before: string,
  bytes: { readonly chunk: Buffer; readonly from: number; readonly to: number },
  after: string,
): boolean {
  const { chunk, from, to } = bytes
  if (before.length + to - from + after.length <= sheetBytes && isIdleTcp(socket)) {
    return writeOnSheet(socket, before, bytes, after)
  }
  if (to - from < smallBytes) {
    return socket.write(before + chunk.toString('latin1', from, to) + after, 'latin1')
  }
  const part = chunk.subarray(from, to)
  const isIdle = socket.writableLength === 0
  if (before === '' && after === '') return writeLasting(socket, part, isIdle)
  socket.cork()
  if (before !== '') socket.write(before, 'latin1')
  writeLasting(socket, part, isIdle)
  if (after !== '') socket.write(after, 'latin1')
  socket.uncork()
  return !socket.writableNeedDrain
}

/** Of TCP itself: TLS and other duplexes keep what they are given in their own ways. */
function isIdleTcp(socket: Duplex): boolean {
  return Object.getPrototypeOf(socket) === Socket.prototype && socket.writableLength === 0
}

function writeOnSheet(
  socket: Duplex,
  before: string,
  { chunk, from, to }: { readonly chunk: Buffer; readonly from: number; readonly to: number },
  after: string,
): boolean {
  let at = before === '' ? 0 : sheet.write(before, 0, 'latin1')
  at += chunk.copy(sheet, at, from, to)
  if (after !== '') at += sheet.write(after, at, 'latin1')
  const isRoom = socket.write(sheet.subarray(0, at))
  if (socket.writableLength !== 0) sheet = Buffer.allocUnsafeSlow(sheetBytes)
  return isRoom
}

/** Writes bytes that are valid during the call, so that they last until they are written. */
function writeLasting(socket: Duplex, part: Buffer, isIdle: boolean): boolean {
  const isShared = part.buffer === shared.buffer
  const own = !isShared && part.buffer === reading?.memory.buffer ? reading : undefined
  if (!isShared && own === undefined) return socket.write(part)
  // Other duplexes may hand their bytes on after they took them.
  if (!(socket instanceof Socket)) return socket.write(Buffer.from(part))
  if (own !== undefined) {
    own.users += 1
    return socket.write(part, own.release)
  }
  // What waits for a slow receiver takes no more than it needs.
  const copy = isIdle ? takePiece() : undefined
  if (copy === undefined) return socket.write(Buffer.from(part))
  part.copy(copy.memory)
  return socket.write(copy.memory.subarray(0, part.length), copy.release)
}
