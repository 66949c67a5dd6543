import { crc32 } from 'node:zlib'
import { isJsonObject } from '../../util/json.ts'
import type { JsonObject } from '../../util/json.ts'
import { routeOwners } from '../route.ts'
import type { NewRoute, RouteOwner, StoredRoute } from '../route.ts'

/**
 * The routing table as a file: lines of JSON. The first tells the version, when the edge that wrote
 * it started, and where its subscription stood; then a line for each route and owner; the last
 * holds the number of routes and the CRC-32 of all before it, so that a part is not taken for the
 * whole.
 */
const version = 2

/** Where the subscription stands: which numbering, and the last change applied. */
export interface Position {
  readonly epoch: string
  readonly seq: number
}

export interface TableHead {
  readonly position: Position | undefined
  readonly startedAtMs: number
}

export interface StoredTable extends TableHead {
  readonly count: number
  /** Read one by one. Throws when one is not a route. */
  readonly routes: Iterable<NewRoute>
}

/** Latest instant that a date can be. */
const maxDateMs = 8.64e15
const lineEnd = 10

export function formatHead({ position, startedAtMs }: TableHead): string {
  return `${JSON.stringify({ version, startedAtMs, ...position })}\n`
}

/** One line, put together around the data as it is stored. */
export function formatRoute(route: StoredRoute): string {
  const { path, owner, targetUrl, lastActivityMs, routespec, dataText } = route
  const named = JSON.stringify({ path, owner, targetUrl, lastActivityMs, routespec })
  return `${named.slice(0, -1)},"data":${dataText}}\n`
}

export function formatTail({
  count,
  sum,
}: {
  readonly count: number
  readonly sum: number
}): string {
  return `${JSON.stringify({ count, crc32: sum })}\n`
}

/** Of the beginning of a file; `undefined` when it is none of this version. */
export function parseHead(text: string): TableHead | undefined {
  try {
    return toHead(JSON.parse(text.slice(0, text.indexOf('\n'))))
  } catch {
    return undefined
  }
}

/** @throws Error for people when the file is not whole */
export function parseTable(bytes: Buffer): StoredTable {
  const tailAt = bytes.lastIndexOf(lineEnd, -2) + 1
  const tail = objectOf(bytes.toString('utf8', tailAt))
  if (typeof tail['count'] !== 'number' || typeof tail['crc32'] !== 'number') {
    throw new Error('its end is missing')
  }
  if (crc32(bytes.subarray(0, tailAt)) !== tail['crc32']) throw new Error('it is damaged')
  const headEnd = bytes.indexOf(lineEnd)
  const head = parseHead(bytes.toString('utf8', 0, headEnd + 1))
  if (head === undefined) throw new Error('it is of another version')
  const body = bytes.subarray(headEnd + 1, tailAt)
  return { ...head, count: tail['count'], routes: readRoutes(body) }
}

function* readRoutes(bytes: Buffer): Generator<NewRoute> {
  let start = 0
  for (let end = bytes.indexOf(lineEnd); end !== -1; end = bytes.indexOf(lineEnd, start)) {
    yield toRoute(objectOf(bytes.toString('utf8', start, end)))
    start = end + 1
  }
}

function objectOf(text: string): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Error('a line is not whole')
  }
  if (!isJsonObject(value)) throw new Error('a line is not an object')
  return value
}

function toHead(value: unknown): TableHead | undefined {
  if (!isJsonObject(value) || value['version'] !== version) return undefined
  const { epoch, seq, startedAtMs } = value
  if (typeof startedAtMs !== 'number') return undefined
  const isPosition = typeof epoch === 'string' && typeof seq === 'number'
  return { startedAtMs, position: isPosition ? { epoch, seq } : undefined }
}

function toRoute(value: JsonObject): NewRoute {
  const { path, targetUrl, lastActivityMs, data, routespec } = value
  const owner = routeOwners.find((one): one is RouteOwner => one === value['owner'])
  const isRoute =
    typeof path === 'string' &&
    path.startsWith('/') &&
    path.isWellFormed() &&
    typeof targetUrl === 'string' &&
    typeof lastActivityMs === 'number' &&
    Math.abs(lastActivityMs) <= maxDateMs &&
    isJsonObject(data)
  if (!isRoute || owner === undefined) throw new Error('a line is not a route')
  const named = typeof routespec === 'string' ? { routespec } : {}
  return { path, owner, targetUrl, lastActivityMs, data, ...named }
}
