import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { messageOf } from '../../domain/errors.ts'
import { Slices } from '../../util/slices.ts'
import type { StoredRoute } from '../route.ts'
import type { RoutingTable } from '../routing-table.ts'
import type { EdgeLog } from './context.ts'
import { formatHead, formatRoute, formatTail, parseHead, parseTable } from './snapshot-format.ts'
import type { Position, StoredTable } from './snapshot-format.ts'

const debounceMs = 200
const retryMs = 5000
/** Writes take at most this part of the time, so that changes without end leave time for requests. */
const shareOfTime = 10
const longestPauseMs = 5000
/** Of a draft that nobody goes on writing. */
const leftOverMs = 60_000
const headBytes = 4096
/** Written at once. */
const sliceLength = 64 * 1024

/**
 * Reads the table kept on disk; `undefined` when there is none. One that is damaged is left aside
 * with a line in the log.
 */
export async function loadSnapshotFile(
  path: string,
  log: EdgeLog,
): Promise<StoredTable | undefined> {
  try {
    return parseTable(await readFile(path))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    log('error', `starts without the routing table in ${path}: ${messageOf(error)}`)
    return undefined
  }
}

/**
 * Keeps the table on disk: written beside, in slices, and renamed, so that a kill leaves the old or
 * the new one. Changes that come soon after another share a write, and one write runs at a time.
 * Once a successor of this edge has written the file, it is the successor's.
 */
export class SnapshotWriter {
  readonly #path: string
  readonly #table: RoutingTable
  readonly #position: () => Position | undefined
  readonly #startedAtMs: number
  readonly #log: EdgeLog
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()
  #pauseMs = debounceMs
  #isClosed = false

  constructor(options: {
    readonly path: string
    readonly table: RoutingTable
    readonly position: () => Position | undefined
    /** Later than that of the edge which wrote the file before. */
    readonly startedAtMs: number
    readonly log: EdgeLog
  }) {
    this.#path = options.path
    this.#table = options.table
    this.#position = options.position
    this.#startedAtMs = options.startedAtMs
    this.#log = options.log
  }

  /** Says that the table changed. */
  schedule(delayMs = this.#pauseMs): void {
    if (this.#isClosed) return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#enqueue()
    }, delayMs)
  }

  /** Writes what is due and stops. */
  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#timer !== undefined) {
      clearTimeout(this.#timer)
      this.#enqueue()
    }
    await this.#writing
    clearTimeout(this.#timer)
  }

  #enqueue(): void {
    this.#writing = this.#writing.then(async () => {
      const beganAt = performance.now()
      try {
        await this.#write()
      } catch (error) {
        this.#log('error', `cannot keep the routing table in ${this.#path}: ${messageOf(error)}`)
        this.schedule(retryMs)
      }
      const tookMs = performance.now() - beganAt
      this.#pauseMs = Math.min(longestPauseMs, Math.max(debounceMs, tookMs * shareOfTime))
    })
  }

  async #write(): Promise<void> {
    await this.#removeLeftOvers()
    // Two edges may run for a while.
    const draft = `${this.#path}.${process.pid}.tmp`
    const file = await open(draft, 'w', 0o600)
    try {
      await file.chmod(0o600)
      await this.#writeTable(file)
      await file.sync()
    } catch (error) {
      // On a full disk it would take what little is left.
      await rm(draft, { force: true })
      throw error
    } finally {
      await file.close()
    }
    if (await this.#isSuccessors()) {
      await rm(draft, { force: true })
      this.#isClosed = true
      return
    }
    await rename(draft, this.#path)
    await syncFolder(dirname(this.#path))
  }

  /** The position comes first: changes after it that the file holds are made once more. */
  async #writeTable(file: FileHandle): Promise<void> {
    const slices = new Slices()
    let pending = formatHead({ position: this.#position(), startedAtMs: this.#startedAtMs })
    let sum = 0
    let count = 0
    const flush = async (): Promise<void> => {
      const bytes = Buffer.from(pending)
      pending = ''
      sum = crc32(bytes, sum)
      await file.appendFile(bytes)
    }
    for (const routes of this.#table.listOwned()) {
      for (const route of routes.filter(isKept)) {
        pending += formatRoute(route)
        count += 1
      }
      if (pending.length >= sliceLength) await flush()
      if (slices.isOver) await slices.next()
    }
    await flush()
    await file.appendFile(formatTail({ count, sum }))
  }

  async #isSuccessors(): Promise<boolean> {
    const file = await open(this.#path, 'r').catch(() => undefined)
    if (file === undefined) return false
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(headBytes), 0, headBytes, 0)
      const head = parseHead(buffer.toString('utf8', 0, bytesRead))
      return head !== undefined && head.startedAtMs > this.#startedAtMs
    } finally {
      await file.close()
    }
  }

  /** Drafts of edges that were killed. */
  async #removeLeftOvers(): Promise<void> {
    const folder = dirname(this.#path)
    const prefix = `${basename(this.#path)}.`
    for (const name of await readdir(folder)) {
      if (!name.startsWith(prefix) || !/^\d+\.tmp$/.test(name.slice(prefix.length))) continue
      const draft = join(folder, name)
      const { mtimeMs } = (await stat(draft).catch(() => undefined)) ?? { mtimeMs: Date.now() }
      if (Date.now() - mtimeMs > leftOverMs) await rm(draft, { force: true })
    }
  }
}

/** A flag's route is made by the flag. */
function isKept({ owner }: StoredRoute): boolean {
  return owner !== 'default'
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
