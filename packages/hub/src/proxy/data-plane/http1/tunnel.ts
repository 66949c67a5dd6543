import type { Duplex } from 'node:stream'

/** Sockets of clients whose connection became a tunnel. */
export type Tunnels = Set<Duplex>

export interface TunnelOptions {
  readonly near: { readonly socket: Duplex; readonly early?: Buffer }
  readonly far: { readonly socket: Duplex; readonly early?: Buffer }
  onClientBytes(): void
}

/** Listeners are shared and find the tunnel here: ten closures for each would cost memory. */
const side = Symbol('side')
interface Side {
  readonly other: TunnelSocket
  /** Of the client's side only. */
  readonly options: TunnelOptions | undefined
}
interface TunnelSocket extends Duplex {
  [side]?: Side
}

/**
 * Joins two sockets: bytes pass both ways, each side waits for the other, and both end together.
 * Row P12 of the bench counts its memory. Source: contract proxy §5.
 */
export function startTunnel(tunnels: Tunnels, options: TunnelOptions): void {
  const near: TunnelSocket = options.near.socket
  const far: TunnelSocket = options.far.socket
  near[side] = { other: far, options }
  far[side] = { other: near, options: undefined }
  tunnels.add(near)
  near.on('close', function onNearClose(this: Duplex) {
    tunnels.delete(this)
  })
  for (const socket of [near, far]) {
    socket.on('data', onData).on('drain', onDrain)
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

function onData(this: TunnelSocket, chunk: Buffer): void {
  const here = this[side]
  if (here === undefined) return
  here.options?.onClientBytes()
  if (!here.other.write(chunk)) this.pause()
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
