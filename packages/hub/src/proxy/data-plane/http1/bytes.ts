import { Socket } from 'node:net'
import type { SocketConstructorOpts } from 'node:net'
import type { Duplex } from 'node:stream'

/**
 * Bytes of TCP sockets arrive in one piece of memory that all of them share: Node would allocate
 * 64 kB for every read, which costs as much as the whole of a request's routing. So **bytes belong
 * to who gets them only during the call**; what is kept for later is copied.
 * Hot path: row P9 of the bench (docs/decisions/0005-own-http1-path.md).
 */
const shared = Buffer.allocUnsafeSlow(64 * 1024)

/** Who takes what a socket reads. */
export interface Receiver {
  /** @param chunk - valid during the call. */
  received(chunk: Buffer): void
}

/** Where a socket finds its receiver: a closure for each would cost memory. */
export const receiver = Symbol('receiver')
export interface ReceivingSocket extends Duplex {
  [receiver]?: Receiver | undefined
}

/** Of the read that just ended; asked and cleared by {@link nextBuffer}. */
let bulkBuffer: Buffer | undefined
/** A write of the chunk under way has not ended: its memory is needed. */
let isHeld = false

/**
 * Where the next read of a socket goes. One that filled its memory is followed by more, and gets
 * memory of its own, which is passed on without a copy and used again once it is written.
 */
function nextBuffer(): Buffer {
  const before = bulkBuffer
  bulkBuffer = undefined
  if (before === undefined) return shared
  return before === shared || isHeld ? Buffer.allocUnsafeSlow(shared.length) : before
}

/** The `onread` option of sockets whose receiver takes what they read. */
export const sharedReads = {
  buffer: nextBuffer,
  callback(this: unknown, length: number, buffer: Uint8Array): boolean {
    // Node calls it as a method of the socket, with what `buffer` returned; its types say neither.
    const socket = this as ReceivingSocket
    const memory = buffer as Buffer
    isHeld = false
    socket[receiver]?.received(memory.subarray(0, length))
    if (length === shared.length) bulkBuffer = memory
    return true
  },
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
  if (to - from < smallBytes) {
    return socket.write(before + chunk.toString('latin1', from, to) + after, 'latin1')
  }
  const part = chunk.subarray(from, to)
  const bytesToKeep = chunk.buffer === shared.buffer ? Buffer.from(part) : part
  if (before === '' && after === '') {
    const isRoom = socket.write(bytesToKeep)
    // Other duplexes may hand their bytes on after they took them.
    if (socket.writableLength > 0 || !(socket instanceof Socket)) isHeld = true
    return isRoom
  }
  isHeld = true
  socket.cork()
  if (before !== '') socket.write(before, 'latin1')
  socket.write(bytesToKeep)
  if (after !== '') socket.write(after, 'latin1')
  socket.uncork()
  return !socket.writableNeedDrain
}
