import { isIP } from 'node:net'
import type { Peer } from '../http1/asker.ts'
import type { Fields } from '../http1/fields.ts'

const maxAddressLength = 45

/**
 * Whose request it is: the peer, or behind trusted proxies the right-most address of
 * `X-Forwarded-For` that is not one of them. `undefined` when a trusted proxy names nobody.
 */
export function clientAddress(
  peer: Peer,
  fields: Pick<Fields, 'find'>,
  isTrusted: (address: string) => boolean,
): string | undefined {
  if (!peer.isTrusted) return peer.address
  const items = (fields.find('x-forwarded-for') ?? '').split(',')
  for (const item of items.toReversed()) {
    const address = bareAddress(item.trim())
    if (address === '') return undefined
    if (!isTrusted(address)) return address
  }
  return undefined
}

/** Without the port and brackets that some proxies add; cut where it is no address at all. */
function bareAddress(item: string): string {
  const inBrackets = /^\[([0-9a-fA-F:.]+)\](?::\d+)?$/.exec(item)?.[1]
  const withPort = /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(item)?.[1]
  return (inBrackets ?? withPort ?? item).replace(/^::ffff:/i, '').slice(0, maxAddressLength)
}

/** What is limited together: an IPv4 address, or the network of an IPv6 one, which has many. */
export function addressKey(address: string): string {
  const [bare = ''] = address.split('%')
  if (isIP(bare) !== 6) return bare
  const [before = '', after] = bare.split('::')
  const front = before === '' ? [] : before.split(':')
  const back = after === undefined || after === '' ? [] : after.split(':')
  const zeros = after === undefined ? 0 : Math.max(0, 8 - front.length - back.length)
  const groups = [...front, ...Array<string>(zeros).fill('0'), ...back]
  const network = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16))
  return `${network.join(':')}::/64`
}
