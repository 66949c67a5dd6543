import { BlockList, isIP } from 'node:net'

/** Loopback and private ranges: where a proxy in front of ours runs. */
export const defaultTrustedProxies = [
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '::1',
  'fc00::/7',
  'fe80::/10',
] as const

/**
 * Tells which peers are proxies whose forwarding headers are kept.
 * @param ranges - `address` or `address/prefix`, IPv4 or IPv6; none trusts nobody.
 * @throws RangeError for a range that cannot be read
 */
export function createPeerTrust(ranges: readonly string[]): (address: string) => boolean {
  const trusted = new BlockList()
  for (const range of ranges) addRange(trusted, range)
  return (address) => {
    const [bare = ''] = address.split('%') // `fe80::1%eth0` names its interface
    const version = isIP(bare)
    return version !== 0 && trusted.check(bare, version === 6 ? 'ipv6' : 'ipv4')
  }
}

function addRange(trusted: BlockList, range: string): void {
  const [address = '', prefix, ...rest] = range.split('/')
  const version = isIP(address)
  const bits = version === 6 ? 128 : 32
  const length = prefix === undefined ? bits : Number(prefix)
  const isPrefix = prefix === undefined || /^\d{1,3}$/.test(prefix)
  if (version === 0 || rest.length > 0 || !isPrefix || length > bits || address.includes('%')) {
    throw new RangeError(`'${range}' is not an address range such as 10.0.0.0/8`)
  }
  trusted.addSubnet(address, length, version === 6 ? 'ipv6' : 'ipv4')
}
