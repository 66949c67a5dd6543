import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Route } from '../../route.ts'
import { receiveData, receiver, releaseMemory, writeAround } from './bytes.ts'
import type { Receiver, ReceivingSocket } from './bytes.ts'
import { FrameFollower, goingAwayFrame, pingFrame, pongBytes, stop } from './websocket-frames.ts'

/** The clock of abandoned WebSockets: looks so often within the time that one may be quiet. */
const looksPerInterval = 4
const maxLookIntervalMs = 5000
/** Silence after which the system asks the other end of a connection whether it is there. */
export const tcpKeepAliveMs = 60_000
/** For a client to take the news that it is left. */
const lastWordMs = 500

/** Sockets of clients whose connection became a tunnel, and the watch over abandoned ones. */
export class Tunnels {
  readonly #sockets = new Set<TunnelSocket>()
  /** Looks within the ping's interval; 0 pings nobody. */
  readonly #looksAllowed: number
  readonly #stuckAllowed: number
  readonly #timer: NodeJS.Timeout

  /**
   * @param pingIntervalMs - a WebSocket whose client sent nothing for so long gets a ping, and is
   * closed when nothing comes for as long again; 0 never.
   * @param stallMs - a client that takes nothing of what waits for it for so long is given up.
   */
  constructor(pingIntervalMs: number, stallMs: number) {
    const shortest = Math.min(stallMs, pingIntervalMs === 0 ? stallMs : pingIntervalMs)
    const lookMs = Math.min(maxLookIntervalMs, shortest / looksPerInterval)
    this.#looksAllowed = Math.round(pingIntervalMs / lookMs)
    this.#stuckAllowed = Math.round(stallMs / lookMs)
    this.#timer = setInterval(() => this.#look(), lookMs)
    this.#timer.unref()
  }

  get size(): number {
    return this.#sockets.size
  }

  get isWatching(): boolean {
    return this.#looksAllowed > 0
  }

  add(socket: TunnelSocket): void {
    this.#sockets.add(socket)
  }

  delete(socket: TunnelSocket): void {
    this.#sockets.delete(socket)
  }

  /** Tells clients of WebSockets that they are left, and ends what does not end by itself in time. */
  async leave(): Promise<void> {
    for (const socket of this.#sockets) socket[side]?.leave()
    const giveUpAt = performance.now() + lastWordMs
    while (this.#sockets.size > 0 && performance.now() < giveUpAt) await sleep(10)
    this.destroy()
  }

  destroy(): void {
    clearInterval(this.#timer)
    for (const socket of this.#sockets) socket.destroy()
  }

  #look(): void {
    for (const socket of this.#sockets) {
      const near = socket[side]
      if (near?.isStuck(this.#stuckAllowed) === true) socket.destroy()
      else if (near?.frames !== undefined) near.look(this.#looksAllowed)
    }
  }
}

export interface TunnelOptions {
  readonly near: { readonly socket: Duplex; readonly early?: Buffer }
  readonly far: { readonly socket: Duplex; readonly early?: Buffer }
  /** Called when the client sent something. */
  readonly activity: Activity
  readonly isWebSocket: boolean
}

/** What outlives the request that began a tunnel: nothing else of it is kept. */
export interface Activity {
  readonly route: Route
  readonly onActivity: (route: Route) => void
  /** Called when the tunnel has ended. */
  readonly release: (() => void) | undefined
}

/** Listeners are shared and find the tunnel here: ten closures for each would cost memory. */
const side = Symbol('side')
const group = Symbol('group')

/** Hot path: rows P11 and P12 of the bench. */
class Side implements Receiver {
  readonly socket: TunnelSocket
  readonly other: TunnelSocket
  /** Of the client's side only. */
  readonly activity: Activity | undefined
  /** Of WebSockets, as long as what comes is one. */
  frames: FrameFollower | undefined
  /** Bytes of a header that were held back until the rest of it comes. */
  #held: Buffer | undefined
  /** Of the client's side: looks since it was heard; of the server's: a ping waits for its place. */
  #quiet = 0
  /** Of the client's side: looks since it took something, while something waits for it. */
  #stuck = 0

  constructor(socket: TunnelSocket, other: TunnelSocket, activity?: Activity) {
    this.socket = socket
    this.other = other
    this.activity = activity
  }

  received(chunk: Buffer): void {
    const { activity, frames } = this
    if (frames === undefined) {
      if (activity !== undefined) activity.onActivity(activity.route)
      this.#pass(chunk, 0, chunk.length)
    } else if (activity !== undefined) this.#fromClient(frames, activity, this.#withHeld(chunk))
    else this.#fromServer(frames, this.#withHeld(chunk))
  }

  /** The client took bytes that had waited for it. */
  drained(): void {
    if (this.activity === undefined) return
    this.#quiet = 0
    this.#stuck = 0
  }

  /** Looks once more. @returns whether the client took nothing since the look before `allowed` */
  isStuck(allowed: number): boolean {
    this.#stuck = this.socket.writableNeedDrain ? this.#stuck + 1 : 0
    return this.#stuck > allowed
  }

  /** The clock of the client's side: a ping after `allowed` looks, the end after as many again. */
  look(allowed: number): void {
    const far = this.other[side]
    if (far?.frames === undefined) return
    if (this.#quiet < allowed) this.#quiet += 1
    else if (this.#quiet > allowed) this.#quiet += 1
    // While its place does not come, bytes are on their way that TCP itself asks after.
    else if (far.ping()) this.#quiet += 1
    if (this.#quiet > 2 * allowed) this.socket.destroy()
  }

  /** @returns false when the ping has to wait for the end of a frame */
  ping(): boolean {
    const { frames, other } = this
    if (frames === undefined) return false
    // Nothing may follow a close frame; the time to answer it runs all the same.
    if (frames.hasClosed && frames.isBetweenFrames) return true
    if (!frames.isBetweenFrames) {
      this.#quiet = 1
      return false
    }
    this.#quiet = 0
    other.write(pingFrame)
    return true
  }

  /**
   * Ends a tunnel at the client's side, a WebSocket with a close frame: the client knows that it may
   * come again. Source: RFC 6455 §7.4.1, 1001.
   */
  leave(): void {
    const { frames } = this.other[side] ?? {}
    const mayTell = frames?.isBetweenFrames === true && !frames.hasClosed
    if (mayTell && !this.socket.destroyed) this.socket.write(goingAwayFrame)
    endSoon(this.socket)
    this.other.destroy()
  }

  /** Passes on what was held back: no more will come. */
  flush(): void {
    if (this.#held !== undefined && !this.other.destroyed) this.other.write(this.#held)
    this.#held = undefined
  }

  #withHeld(chunk: Buffer): Buffer {
    const held = this.#held
    if (held === undefined) return chunk
    this.#held = undefined
    return Buffer.concat([held, chunk])
  }

  #fromClient(frames: FrameFollower, activity: Activity, chunk: Buffer): void {
    this.#quiet = 0
    let from = 0
    for (;;) {
      const to = frames.follow(chunk, from, false)
      if (to > from) {
        activity.onActivity(activity.route)
        this.#pass(chunk, from, to)
      }
      switch (FrameFollower.stopped) {
        case stop.ownPong:
          from = to + pongBytes
          continue
        case stop.partial:
          this.#held = Buffer.from(chunk.subarray(to))
          return
        case stop.invalid:
          activity.onActivity(activity.route)
          this.#pass(chunk, to, chunk.length)
          this.#stopFollowing()
          return
        default:
          return
      }
    }
  }

  #fromServer(frames: FrameFollower, chunk: Buffer): void {
    let from = 0
    if (this.#quiet !== 0) {
      from = frames.follow(chunk, 0, true)
      if (from > 0) this.#pass(chunk, 0, from)
      if (FrameFollower.stopped !== stop.boundary) return
      this.#quiet = 0
      const near = this.other[side]
      if (near !== undefined) near.#quiet += 1
      if (!frames.hasClosed) this.other.write(pingFrame)
    }
    const to = frames.follow(chunk, from, false)
    if (FrameFollower.stopped === stop.invalid) {
      this.#pass(chunk, from, chunk.length)
      this.#stopFollowing()
      return
    }
    if (to > from) this.#pass(chunk, from, to)
    if (FrameFollower.stopped === stop.partial) this.#held = Buffer.from(chunk.subarray(to))
  }

  #stopFollowing(): void {
    this.frames = undefined
    const other = this.other[side]
    if (other === undefined) return
    other.frames = undefined
    other.flush()
  }

  #pass(chunk: Buffer, from: number, to: number): void {
    if (!writeAround(this.other, '', { chunk, from, to }, '')) this.socket.pause()
  }
}

interface TunnelSocket extends ReceivingSocket, Partial<Pick<Socket, 'setKeepAlive'>> {
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
  const nearSide = new Side(near, far, options.activity)
  const farSide = new Side(far, near)
  if (options.isWebSocket && tunnels.isWatching) {
    nearSide.frames = new FrameFollower('client')
    farSide.frames = new FrameFollower('server')
  }
  near[group] = tunnels
  near[receiver] = near[side] = nearSide
  far[receiver] = far[side] = farSide
  tunnels.add(near)
  for (const socket of [near, far]) {
    socket.on('data', receiveData).on('drain', onDrain)
    socket.on('end', onEnd).on('error', onError).on('close', onClose)
    socket.setKeepAlive?.(true, tcpKeepAliveMs)
  }
  if (near.destroyed || far.destroyed) {
    tunnels.delete(near)
    options.activity.release?.()
    near.destroy()
    far.destroy()
    return
  }
  if (options.far.early !== undefined && options.far.early.length > 0) {
    farSide.received(options.far.early)
  }
  if (options.near.early !== undefined) nearSide.received(options.near.early)
  // It was told before there was a tunnel.
  for (const socket of [near, far]) if (socket.readableEnded) onEnd.call(socket)
  near.resume()
  far.resume()
}

function onDrain(this: TunnelSocket): void {
  this[side]?.drained()
  this[side]?.other.resume()
}

function onEnd(this: TunnelSocket): void {
  this[side]?.flush()
  endSoon(this)
  const other = this[side]?.other
  if (other !== undefined) endSoon(other)
}

function onError(this: TunnelSocket): void {
  this[side]?.other.destroy()
}

function onClose(this: TunnelSocket): void {
  releaseMemory(this)
  this[group]?.delete(this)
  this[side]?.activity?.release?.()
  const other = this[side]?.other
  if (other !== undefined) endSoon(other)
}

/** Ends once what was written is sent. */
function endSoon(socket: Duplex): void {
  if (socket.destroyed) return
  if (socket.writableFinished) socket.destroy()
  else socket.end(() => socket.destroy())
}
