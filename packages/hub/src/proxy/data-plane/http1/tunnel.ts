import type { Duplex } from 'node:stream'
import type { Route } from '../../routing-table.ts'
import { receiveData, receiver, writeAround } from './bytes.ts'
import type { Receiver, ReceivingSocket } from './bytes.ts'

/** Sockets of clients whose connection became a tunnel. */
export type Tunnels = Set<Duplex>

export interface TunnelOptions {
  readonly near: { readonly socket: Duplex; readonly early?: Buffer }
  readonly far: { readonly socket: Duplex; readonly early?: Buffer }
  /** Called when the client sent something. */
  readonly activity: Activity
}

/** What outlives the request that began a tunnel: nothing else of it is kept. */
export interface Activity {
  readonly route: Route
  readonly onActivity: (route: Route) => void
}

/** Listeners are shared and find the tunnel here: ten closures for each would cost memory. */
const side = Symbol('side')
const group = Symbol('group')
class Side implements Receiver {
  readonly socket: TunnelSocket
  readonly other: TunnelSocket
  /** Of the client's side only. */
  readonly activity: Activity | undefined

  constructor(socket: TunnelSocket, other: TunnelSocket, activity?: Activity) {
    this.socket = socket
    this.other = other
    this.activity = activity
  }

  received(chunk: Buffer): void {
    const { activity } = this
    if (activity !== undefined) activity.onActivity(activity.route)
    const bytes = { chunk, from: 0, to: chunk.length }
    if (!writeAround(this.other, '', bytes, '')) this.socket.pause()
  }
}
interface TunnelSocket extends ReceivingSocket {
  [side]?: Side
  /** Of the client's side only. */
  [group]?: Tunnels
}

/**
 * Joins two sockets: bytes pass both ways, each side waits for the other, and both end together.
 * Row P12 of the bench counts its memory. Source: contract proxy §5.
 */
export function startTunnel(tunnels: Tunnels, options: TunnelOptions): void {
  const near: TunnelSocket = options.near.socket
  const far: TunnelSocket = options.far.socket
  near[group] = tunnels
  near[receiver] = near[side] = new Side(near, far, options.activity)
  far[receiver] = far[side] = new Side(far, near)
  tunnels.add(near)
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
    options.activity.onActivity(options.activity.route)
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
  this[group]?.delete(this)
  const other = this[side]?.other
  if (other !== undefined) endSoon(other)
}

/** Ends once what was written is sent. */
function endSoon(socket: Duplex): void {
  if (socket.destroyed) return
  if (socket.writableFinished) socket.destroy()
  else socket.end(() => socket.destroy())
}
