import { setTimeout as delay } from 'node:timers/promises'
import { startStreamBackend } from '../backends.ts'
import { type Bench, withPeers } from '../bench.ts'
import { Holder } from '../holder.ts'
import * as proxies from '../proxies.ts'
import { type Table, atMost, cell, cellsOf, pick } from '../table.ts'
import { restingMemory } from './idle-websockets.ts'

const wanted = 10_000
const pingIntervalMs = 1000
/** Asked after one interval, closed after another; a third for the work itself. */
const goalSeconds = 3
/** Not reaped by then, not at all. */
const giveUpMs = 5000
/** Memory in the end of a round beside that in the end of the one before. */
const flatMegabytes = 8

const orreryThatAsks: proxies.ProxyKind = {
  ...proxies.orrery,
  start: () => proxies.startOrreryEdge(['--websocket-ping-interval', String(pingIntervalMs)]),
}

interface ReapSample {
  readonly secondsToReap: number
  readonly left: number
  readonly memoryHeldBytes: number
  readonly grownBytes: number
}

/** Clients that vanish without closing: how long a proxy keeps what it holds for them. */
export async function measureAbandoned(bench: Bench): Promise<Table[]> {
  // Two sockets each in the proxy, and a few files of its own; the edge itself takes half of the files.
  const count = Math.min(wanted, Math.floor((bench.fileLimit - 400) / 2))
  if (count < wanted) {
    bench.note(
      `P12: ${bench.fileLimit} files may be open in a process, so ${count} WebSockets are abandoned and not ${wanted}`,
    )
  }
  const samples = new Map<string, readonly ReapSample[]>()
  for (const kind of [orreryThatAsks, proxies.chp]) {
    // One at a time: a target holds as many sockets as a proxy.
    await withPeers([kind], startStreamBackend, async ([peer]) => {
      if (peer !== undefined) samples.set(peer.name, await measureRounds(bench, peer, count))
    })
  }
  return [table(samples, count)]
}

function table(samples: ReadonlyMap<string, readonly ReapSample[]>, count: number): Table {
  const ours = proxies.orrery.name
  const mb = (bytes: number): number => bytes / 2 ** 20
  return {
    title: `P12 ${count} WebSockets abandoned at once, asked every ${pingIntervalMs} ms`,
    columns: [
      'proxy',
      'seconds until reaped',
      'left',
      'memory held MB',
      'memory after less before MB',
    ],
    rows: [...samples.keys()].map((name) => ({
      name,
      cells: [
        pick(samples, name, (one) => one.left).some((left) => left > 0)
          ? `not within ${giveUpMs / 1000}`
          : cell(
              pick(samples, name, (one) => one.secondsToReap),
              1,
            ),
        ...cellsOf(samples, name, [
          [(one) => one.left, 0],
          [(one) => mb(one.memoryHeldBytes), 0],
          [(one) => mb(one.grownBytes), 1],
        ]),
      ],
    })),
    goals: [
      ...atMost(
        `${count} abandoned reaped: left`,
        pick(samples, ours, (one) => one.left),
        { most: 0, digits: 0 },
      ),
      ...atMost(
        `reaped in ${goalSeconds} s`,
        pick(samples, ours, (one) => one.secondsToReap),
        { most: goalSeconds, digits: 1 },
      ),
      ...atMost(
        `no growth, ${flatMegabytes} MB`,
        pick(samples, ours, (one) => mb(one.grownBytes)),
        { most: flatMegabytes, digits: 1 },
      ),
    ],
  }
}

async function measureRounds(
  bench: Bench,
  peer: proxies.ProxyPeer,
  count: number,
): Promise<ReapSample[]> {
  const samples: ReapSample[] = []
  // The first round only tells what a proxy keeps of memory once it has had it.
  let { memoryBytes: before } = await measure(peer, count)
  for (let round = 0; round < bench.rounds; round += 1) {
    const { memoryBytes, ...sample } = await measure(peer, count)
    samples.push({ ...sample, grownBytes: memoryBytes - before })
    before = memoryBytes
  }
  return samples
}

async function measure(peer: proxies.ProxyPeer, count: number) {
  const filesBefore = peer.openFiles()
  const holder = await Holder.open(peer.port, count)
  try {
    const memoryHeldBytes = peer.memoryBytes()
    const filesHeld = peer.openFiles() - filesBefore
    if (filesHeld < 1.99 * count)
      throw new Error(`${peer.name} holds ${filesHeld} files, not ${2 * count}`)
    holder.vanish()
    const vanishedAt = performance.now()
    let left = count
    while (left > 0 && performance.now() - vanishedAt < giveUpMs) {
      await delay(50)
      left = Math.max(0, Math.ceil((peer.openFiles() - filesBefore) / 2))
    }
    const secondsToReap = (performance.now() - vanishedAt) / 1000
    if (left > 0) await closeAndWait(peer, holder, filesBefore)
    return { secondsToReap, left, memoryHeldBytes, memoryBytes: await restingMemory(peer) }
  } finally {
    await holder.close()
  }
}

/** What is not reaped ends with its client, and before the next round. */
async function closeAndWait(
  peer: proxies.ProxyPeer,
  holder: Holder,
  filesBefore: number,
): Promise<void> {
  await holder.close()
  for (let look = 0; look < 100 && peer.openFiles() > filesBefore; look += 1) await delay(100)
}
