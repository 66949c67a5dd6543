import { isIPv4, isIPv6 } from 'node:net'

/** Who is behind a load balancer that speaks the PROXY protocol. */
export interface ProxiedPeer {
  readonly address: string
  readonly port: number
}

export type ProxyHeader =
  /** The bytes so far begin a header; more are needed. */
  | { readonly kind: 'incomplete' }
  /** They begin no header, or a broken one: the connection is to be closed. */
  | { readonly kind: 'invalid' }
  /**
   * `length` bytes were the header. Without a peer (`UNKNOWN`, `LOCAL`: a health check) the
   * connection's own address counts.
   */
  | { readonly kind: 'header'; readonly length: number; readonly peer?: ProxiedPeer }

const signatureV2 = Buffer.from([13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10])
const signatureV1 = Buffer.from('PROXY ')
/** Source: PROXY protocol 3.2 (HAProxy), §2.1: a line of version 1 has 107 bytes at most. */
const maxLineV1 = 107
const headV2 = 16
/** Addresses take 36 bytes and extensions a few hundred; more is an attack on our memory. */
const maxPayloadV2 = 4096

/**
 * Reads the header that a load balancer puts before the first byte of a connection.
 * Source: PROXY protocol 3.2 (HAProxy), §2.
 */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  if (isPrefixOf(bytes, signatureV2)) return readVersion2(bytes)
  if (isPrefixOf(bytes, signatureV1)) return readVersion1(bytes)
  return { kind: 'invalid' }
}

/** Whether what is there of the signature is right. */
function isPrefixOf(bytes: Buffer, signature: Buffer): boolean {
  const length = Math.min(bytes.length, signature.length)
  return bytes.subarray(0, length).equals(signature.subarray(0, length))
}

function readVersion1(bytes: Buffer): ProxyHeader {
  const text = bytes.subarray(0, maxLineV1).toString('latin1')
  const end = text.indexOf('\r\n')
  if (end === -1) return { kind: bytes.length >= maxLineV1 ? 'invalid' : 'incomplete' }
  const length = end + 2
  const [, protocol, source = '', destination = '', port = '', ownPort = '', ...rest] = text
    .slice(0, end)
    .split(' ')
  if (protocol === 'UNKNOWN') return { kind: 'header', length }
  const isAddress = protocol === 'TCP4' ? isIPv4 : protocol === 'TCP6' ? isIPv6NoZone : () => false
  const isRight =
    isAddress(source) && isAddress(destination) && isPort(port) && isPort(ownPort) && !rest.length
  if (!isRight) return { kind: 'invalid' }
  return { kind: 'header', length, peer: { address: source, port: Number(port) } }
}

function readVersion2(bytes: Buffer): ProxyHeader {
  if (bytes.length < headV2) return { kind: 'incomplete' }
  const version = bytes.readUInt8(12)
  const family = bytes.readUInt8(13)
  const payload = bytes.readUInt16BE(14)
  const isLocal = version === 0x20
  if ((!isLocal && version !== 0x21) || payload > maxPayloadV2) return { kind: 'invalid' }
  const length = headV2 + payload
  if (bytes.length < length) return { kind: 'incomplete' }
  if (isLocal) return { kind: 'header', length }
  if (family === 0x11 && payload >= 12) {
    const address = [...bytes.subarray(headV2, headV2 + 4)].join('.')
    return { kind: 'header', length, peer: { address, port: bytes.readUInt16BE(headV2 + 8) } }
  }
  if (family === 0x21 && payload >= 36) {
    const address = formatIPv6(bytes.subarray(headV2, headV2 + 16))
    return { kind: 'header', length, peer: { address, port: bytes.readUInt16BE(headV2 + 32) } }
  }
  // Datagrams and Unix sockets have no address for us; too short a payload is an error.
  const isOther = family === 0x00 || family === 0x12 || family === 0x22 || family >> 4 === 3
  return isOther ? { kind: 'header', length } : { kind: 'invalid' }
}

/** As Node writes addresses of its own connections: `::ffff:1.2.3.4` stays an IPv4 in it. */
function formatIPv6(bytes: Buffer): string {
  const groups: string[] = []
  for (let at = 0; at < 16; at += 2) groups.push(bytes.readUInt16BE(at).toString(16))
  // The URL parser knows the canonical spelling (RFC 5952).
  const canonical = new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
  const mapped = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/.exec(canonical)
  if (mapped === null) return canonical
  return `::ffff:${[...bytes.subarray(12)].join('.')}`
}

function isIPv6NoZone(text: string): boolean {
  return isIPv6(text) && !text.includes('%')
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535
}
