import type { Duplex } from 'node:stream'
import { receiveData, receiver, writeAround } from './bytes.ts'
import type { Receiver, ReceivingSocket } from './bytes.ts'

/** Sockets of clients whose connection became a tunnel. */
export type Tunnels = Set<Duplex>

export interface TunnelOptions {
  readonly near: { readonly socket: Duplex; readonly early?: Buffer }
  readonly far: { readonly socket: Duplex; readonly early?: Buffer }
  onClientBytes(): void
}

/** Listeners are shared and find the tunnel here: ten closures for each would cost memory. */
const side = Symbol('side')
class Side implements Receiver {
  readonly socket: TunnelSocket
  readonly other: TunnelSocket
  /** Of the client's side only. */
  readonly options: TunnelOptions | undefined

  constructor(socket: TunnelSocket, other: TunnelSocket, options?: TunnelOptions) {
    this.socket = socket
    this.other = other
    this.options = options
  }

  received(chunk: Buffer): void {
    this.options?.onClientBytes()
    const bytes = { chunk, from: 0, to: chunk.length }
    if (!writeAround(this.other, '', bytes, '')) this.socket.pause()
  }
}
interface TunnelSocket extends ReceivingSocket {
  [side]?: Side
}

/**
 * Joins two sockets: bytes pass both ways, each side waits for the other, and both end together.
 * Row P12 of the bench counts its memory. Source: contract proxy §5.
 */
export function startTunnel(tunnels: Tunnels, options: TunnelOptions): void {
  const near: TunnelSocket = options.near.socket
  const far: TunnelSocket = options.far.socket
  near[receiver] = near[side] = new Side(near, far, options)
  far[receiver] = far[side] = new Side(far, near)
  tunnels.add(near)
  near.on('close', function onNearClose(this: Duplex) {
    tunnels.delete(this)
  })
  for (const socket of [near, far]) {
    socket.on('data', receiveData).on('drain', onDrain)
    socket.on('end', onEnd).on('error', onError).on('close', onClose)
  }
  if (near.destroyed || far.destroyed) {
    tunnels.delete(near)
    near.destroy()
    far.destroy()
    return
  }
  if (options.far.early !== undefined && options.far.early.length > 0) {
    near.write(options.far.early)
  }
  if (options.near.early !== undefined) {
    options.onClientBytes()
    far.write(options.near.early)
  }
  near.resume()
  far.resume()
}

function onDrain(this: TunnelSocket): void {
  this[side]?.other.resume()
}

function onEnd(this: TunnelSocket): void {
  endSoon(this)
  const other = this[side]?.other
  if (other !== undefined) endSoon(other)
}

function onError(this: TunnelSocket): void {
  this[side]?.other.destroy()
}

function onClose(this: TunnelSocket): void {
  const other = this[side]?.other
  if (other !== undefined) endSoon(other)
}

/** Ends once what was written is sent. */
function endSoon(socket: Duplex): void {
  if (socket.destroyed) return
  if (socket.writableFinished) socket.destroy()
  else socket.end(() => socket.destroy())
}
