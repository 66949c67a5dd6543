import { open, readFile, rename } from 'node:fs/promises'
import { isJsonObject } from '../../util/json.ts'
import { routeOwners } from '../routing-table.ts'
import type { OwnedRoute, RoutingTable } from '../routing-table.ts'
import type { EdgeLog } from './context.ts'

/** Where the subscription stands: which numbering, and the last change applied. */
export interface Position {
  readonly epoch: string
  readonly seq: number
}

export interface StoredTable {
  readonly position: Position | undefined
  readonly routes: readonly OwnedRoute[]
}

const debounceMs = 200
const retryMs = 5000

/** Reads the table kept on disk; `undefined` when there is none or it is damaged. */
export async function loadSnapshotFile(path: string): Promise<StoredTable | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'))
    if (!isJsonObject(value) || value['version'] !== 1 || !Array.isArray(value['routes'])) return
    const routes: readonly unknown[] = value['routes']
    const { epoch, seq } = value
    const position =
      typeof epoch === 'string' && typeof seq === 'number' ? { epoch, seq } : undefined
    return { position, routes: routes.filter(isOwnedRoute) }
  } catch {
    return undefined
  }
}

function isOwnedRoute(value: unknown): value is OwnedRoute {
  return (
    isJsonObject(value) &&
    typeof value['path'] === 'string' &&
    routeOwners.some((owner) => owner === value['owner']) &&
    typeof value['targetUrl'] === 'string' &&
    typeof value['lastActivityMs'] === 'number' &&
    isJsonObject(value['data'])
  )
}

/**
 * Keeps the table on disk: written beside and renamed, so that a kill leaves the old or the new
 * one; changes within {@link debounceMs} share a write, and one write runs at a time.
 */
export class SnapshotWriter {
  readonly #path: string
  readonly #table: RoutingTable
  readonly #position: () => Position | undefined
  readonly #log: EdgeLog
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(options: {
    readonly path: string
    readonly table: RoutingTable
    readonly position: () => Position | undefined
    readonly log: EdgeLog
  }) {
    this.#path = options.path
    this.#table = options.table
    this.#position = options.position
    this.#log = options.log
  }

  /** Says that the table changed. */
  schedule(delayMs = debounceMs): void {
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
    this.#writing = this.#writing.then(() =>
      this.#write().catch((error: unknown) => {
        this.#log('error', `cannot keep the routing table in ${this.#path}: ${String(error)}`)
        this.schedule(retryMs)
      }),
    )
  }

  async #write(): Promise<void> {
    const routes = [...this.#table.listOwned()].filter(({ owner }) => owner !== 'default')
    const text = JSON.stringify({ version: 1, ...this.#position(), routes })
    const draft = `${this.#path}.tmp`
    const file = await open(draft, 'w', 0o600)
    try {
      await file.chmod(0o600)
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, this.#path)
  }
}
