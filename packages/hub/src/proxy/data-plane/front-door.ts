import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { withSharedReads } from './http1/bytes.ts'
import { tcpKeepAliveMs } from './http1/tunnel.ts'
import type { Gate } from './limits/gate.ts'
import { readProxyHeader } from './proxy-protocol.ts'
import type { ProxiedPeer } from './proxy-protocol.ts'
import type { CertificateStore } from './tls/certificate-store.ts'
import type { SessionTickets } from './tls/session-tickets.ts'

export interface TlsFrontOptions {
  readonly certificates: CertificateStore
  readonly tickets: SessionTickets
  /** Ask clients for a certificate. */
  readonly requestCert: boolean
  /** Refuse those without a valid one. */
  readonly rejectUnauthorized: boolean
  /** Offer HTTP/2. */
  readonly hasHttp2: boolean
}

export interface FrontDoorOptions {
  readonly tls?: TlsFrontOptions
  /** Every connection begins with a PROXY header, from a peer that is trusted. */
  readonly isProxied: boolean
  readonly isTrustedPeer: (address: string) => boolean
  readonly gate: Gate
  /**
   * @param peer - who is behind a load balancer; the socket's own peer counts when absent.
   */
  readonly onPlain: (socket: Socket, peer: ProxiedPeer | undefined) => void
  readonly onTls: (socket: TLSSocket, peer: ProxiedPeer | undefined) => void
}

/** Peers that vanish without a word are found, also while nothing is to be said to them. */
const accepting = {
  allowHalfOpen: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: tcpKeepAliveMs,
} as const
const handshakeTimeoutMs = 10_000
const headerTimeoutMs = 5_000

/** The listener of a port: plain or TLS, with or without the PROXY protocol before it. */
export function createFrontDoor(options: FrontDoorOptions): Server {
  const { tls, isProxied, onPlain, gate } = options
  if (tls === undefined) {
    if (isProxied) {
      return createProxiedServer(options, (socket, peer) => {
        onPlain(socket, peer)
        socket.resume()
      })
    }
    const plain = createServer({ ...accepting, pauseOnConnect: true }, (accepted) => {
      const full = gate.isFull()
      if (full !== 0) return gate.refuse(accepted, full, true)
      const socket = withSharedReads(accepted)
      const refusal = gate.enter(socket, peerAddress(socket.remoteAddress, plain))
      if (refusal === 0) onPlain(socket, undefined)
      else gate.refuse(socket, refusal, true)
    })
    return plain
  }
  const peers = new Map<string, ProxiedPeer>()
  const server = createTlsFront(tls, (socket) => options.onTls(socket, peers.get(placeOf(socket))))
  if (!isProxied) {
    const secure = createServer(accepting, (socket) => {
      const address = peerAddress(socket.remoteAddress, secure)
      const refusal = gate.isFull() || gate.enter(socket, address)
      if (refusal !== 0) return gate.refuse(socket, refusal, false)
      gate.count(socket)
      server.emit('connection', socket)
    })
    return secure
  }
  return createProxiedServer(options, (socket, peer) => {
    if (peer !== undefined) {
      const place = placeOf(socket)
      peers.set(place, peer)
      socket.once('close', () => peers.delete(place))
    }
    server.emit('connection', socket)
  })
}

function createTlsFront(tls: TlsFrontOptions, onSecure: (socket: TLSSocket) => void): Server {
  const { certificates, requestCert, rejectUnauthorized, hasHttp2, tickets } = tls
  const ticketKeys = (): Buffer => tickets.keysFor(certificates.defaults().ca)
  const server = createTlsServer({
    ...certificates.defaults(),
    requestCert,
    rejectUnauthorized,
    ticketKeys: ticketKeys(),
    allowHalfOpen: true,
    noDelay: true,
    handshakeTimeout: handshakeTimeoutMs,
    ALPNProtocols: hasHttp2 ? ['h2', 'http/1.1'] : ['http/1.1'],
    SNICallback: (name, done) => done(null, certificates.contextFor(name)),
  })
  certificates.onChange(() =>
    server.setSecureContext({ ...certificates.defaults(), ticketKeys: ticketKeys() }),
  )
  tickets.onChange(() => server.setTicketKeys(ticketKeys()))
  server.on('secureConnection', onSecure)
  // Scanners and clients that do not trust the certificate: nothing of ours went wrong.
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  return server
}

function createProxiedServer(
  options: Pick<FrontDoorOptions, 'isTrustedPeer' | 'gate' | 'tls'>,
  onHeader: (socket: Socket, peer: ProxiedPeer | undefined) => void,
): Server {
  return createServer(accepting, (socket) => {
    const { gate, tls } = options
    const address = addressOf(socket)
    // Who is not trusted could say to be anybody.
    if (address === '' || !options.isTrustedPeer(address)) {
      socket.destroy()
      return
    }
    if (gate.isFull() !== 0) return gate.refuse(socket, 503, false)
    gate.count(socket)
    takeHeader(socket, (proxied, peer) => {
      const refusal = gate.enter(proxied, peer?.address ?? address)
      if (refusal === 0) onHeader(proxied, peer)
      else gate.refuse(proxied, refusal, tls === undefined)
    })
  })
}

function takeHeader(
  socket: Socket,
  onHeader: (socket: Socket, peer: ProxiedPeer | undefined) => void,
): void {
  let received = Buffer.alloc(0)
  const timer = setTimeout(() => socket.destroy(), headerTimeoutMs)
  const onError = (): void => void socket.destroy()
  const onData = (chunk: Buffer): void => {
    received = Buffer.concat([received, chunk])
    const header = readProxyHeader(received)
    if (header.kind === 'incomplete') return
    clearTimeout(timer)
    socket.off('data', onData).off('error', onError).off('end', onError)
    if (header.kind === 'invalid') {
      socket.destroy()
      return
    }
    socket.pause()
    if (received.length > header.length) socket.unshift(received.subarray(header.length))
    onHeader(socket, header.peer)
  }
  socket.on('data', onData).on('error', onError).on('end', onError)
  socket.once('close', () => clearTimeout(timer))
}

/** Without the prefix of dual-stack listeners; empty for a peer that has left. */
function addressOf(socket: Socket): string {
  return (socket.remoteAddress ?? '').replace(/^::ffff:/i, '')
}

/**
 * As `addressOf`; who comes by a Unix socket is on this machine and counts as loopback, so that a
 * terminator of TLS in front is believed there as it is by TCP.
 */
export function peerAddress(remoteAddress: string | undefined, listener: Server): string {
  if (remoteAddress === undefined) {
    return typeof listener.address() === 'string' ? '127.0.0.1' : ''
  }
  return remoteAddress.replace(/^::ffff:/i, '')
}

/** Names a connection while it is open. */
function placeOf(socket: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
  return `${socket.remoteAddress ?? ''} ${socket.remotePort ?? 0}`
}
