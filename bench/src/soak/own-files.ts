import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** An open file of this process. */
export interface OwnFile {
  /** As the system names it, such as `socket:[4711]`. */
  readonly id: string
  /** For people: of sockets also their kind, state and ports. */
  readonly what: string
}

/** Source: `include/net/tcp_states.h` of Linux. */
const tcpStates: Readonly<Record<string, string>> = {
  '01': 'established',
  '02': 'connecting',
  '08': 'left by the other side',
  '0A': 'listening',
}

/** Without sockets that have no other end any more: those are nobody's but Node's to close. */
export function ownFiles(): readonly OwnFile[] {
  const sockets = describeSockets()
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const id = readlinkSync(`/proc/self/fd/${fd}`)
      const inode = /^socket:\[(\d+)\]$/.exec(id)?.[1]
      const what = inode === undefined ? id : sockets.get(inode)
      return what === undefined ? [] : [{ id, what }]
    } catch {
      return [] // that of the folder itself
    }
  })
}

/** By inode. */
function describeSockets(): Map<string, string> {
  const tcp = ['tcp', 'tcp6'].flatMap(linesOf).map((fields): [string, string] => {
    const [, local = '', remote = '', state = ''] = fields
    const ports = `${portOf(local)} to ${portOf(remote)}`
    return [fields[9] ?? '', `TCP socket, ${tcpStates[state] ?? `state ${state}`}, ${ports}`]
  })
  const unix = linesOf('unix').map((fields): [string, string] => [
    fields[6] ?? '',
    `Unix socket ${fields[7] ?? 'without a name'}`,
  ])
  return new Map([...tcp, ...unix])
}

function linesOf(table: string): string[][] {
  const lines = readFileSync(`/proc/self/net/${table}`, 'latin1').trim().split('\n').slice(1)
  return lines.map((line) => line.trim().split(/\s+/))
}

const portOf = (address: string): number => Number.parseInt(address.split(':').at(-1) ?? '', 16)
