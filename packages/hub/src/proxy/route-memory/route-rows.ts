import type { BlockAllocator } from './block-allocator.ts'
import { type RouteMemory, unitBytes } from './route-memory.ts'

/**
 * A *row* is a route path that has at least one entry. In numbers of four bytes:
 *
 *     0 life       given at birth, never again, 0 once the route is gone
 *     1 version    another after each change, 0 once the route is gone
 *     2 hash       3 length of the path in bytes
 *     4 activity   epoch milliseconds, eight bytes
 *     6 reported   the activity that the hub knows of, eight bytes
 *     8 .. 10      entries of the owners in order of precedence, 0 where there is none
 *     11 mark      of the snapshot that last named the route
 *     12 ...       the path without its leading slash, UTF-8
 */
export const row = {
  life: 0,
  version: 1,
  hash: 2,
  length: 3,
  entries: 8,
  mark: 11,
  bytes: 48,
  /** In units. */
  activity: 2,
  reported: 3,
} as const

/** How many owners can have an entry in a row. */
export const entryCount = 3

/** What an owner said, as it is stored: lengths of three texts, flags, the texts in UTF-8. */
export interface EntryText {
  readonly targetUrl: string
  /** JSON of all else that was said. */
  readonly data: string
  /** Routespec as the hub wrote it where it cannot be told from the path; else empty. */
  readonly routespec: string
  readonly isHub: boolean
}

const entryHead = 16
const hubFlag = 1

export function takeRow(
  memory: RouteMemory,
  blocks: BlockAllocator,
  path: { readonly key: string; readonly hash: number },
): number {
  const length = path.key.length
  const ref = blocks.take(rowUnits(length))
  const { ints } = memory
  const at = ref * 2
  ints.fill(0, at, at + row.bytes / 4)
  ints[at + row.hash] = path.hash
  ints[at + row.length] = length
  memory.bytes.write(path.key, ref * unitBytes + row.bytes, length, 'latin1')
  return ref
}

export function giveRowBack(memory: RouteMemory, blocks: BlockAllocator, ref: number): void {
  const at = ref * 2
  Atomics.store(memory.ints, at + row.life, 0)
  Atomics.store(memory.ints, at + row.version, 0)
  blocks.giveBack(ref, rowUnits(memory.ints[at + row.length] ?? 0))
}

/** Route path of a row, with its leading slash. */
export function readPath(memory: RouteMemory, ref: number): string {
  const from = ref * unitBytes + row.bytes
  const length = memory.ints[ref * 2 + row.length] ?? 0
  return `/${memory.bytes.toString('utf8', from, from + length)}`
}

/** Entry that counts: of the first owner that has one; `owner` is its place in the order. */
export function effectiveEntry(
  memory: RouteMemory,
  ref: number,
): { readonly owner: number; readonly entry: number } | undefined {
  for (let owner = 0; owner < entryCount; owner += 1) {
    const entry = Atomics.load(memory.ints, ref * 2 + row.entries + owner)
    if (entry !== 0) return { owner, entry: memory.reach(entry) }
  }
  return undefined
}

export function takeEntry(memory: RouteMemory, blocks: BlockAllocator, text: EntryText): number {
  const lengths = [text.targetUrl, text.data, text.routespec].map((one) => Buffer.byteLength(one))
  const [target = 0, data = 0, routespec = 0] = lengths
  const ref = blocks.take(entryUnits(target + data + routespec))
  const { ints, bytes } = memory
  ints.set([target, data, routespec, text.isHub ? hubFlag : 0], ref * 2)
  const from = ref * unitBytes + entryHead
  bytes.write(text.targetUrl, from, target, 'utf8')
  bytes.write(text.data, from + target, data, 'utf8')
  bytes.write(text.routespec, from + target + data, routespec, 'utf8')
  return ref
}

export function readEntry(memory: RouteMemory, ref: number): EntryText {
  const { ints, bytes } = memory
  const at = ref * 2
  const target = ref * unitBytes + entryHead
  const data = target + (ints[at] ?? 0)
  const routespec = data + (ints[at + 1] ?? 0)
  return {
    targetUrl: bytes.toString('utf8', target, data),
    data: bytes.toString('utf8', data, routespec),
    routespec: bytes.toString('utf8', routespec, routespec + (ints[at + 2] ?? 0)),
    isHub: ((ints[at + 3] ?? 0) & hubFlag) !== 0,
  }
}

export function giveEntryBack(memory: RouteMemory, blocks: BlockAllocator, ref: number): void {
  const { ints } = memory
  const [target = 0, data = 0, routespec = 0] = ints.subarray(ref * 2, ref * 2 + 3)
  blocks.giveBack(ref, entryUnits(target + data + routespec))
}

function rowUnits(pathBytes: number): number {
  return Math.ceil((row.bytes + pathBytes) / unitBytes)
}

function entryUnits(textBytes: number): number {
  return Math.ceil((entryHead + textBytes) / unitBytes)
}
