import { isJsonObject } from '../util/json.ts'
import type { JsonObject } from '../util/json.ts'
import { maxRoutespecLength } from './routespec.ts'

/**
 * What hub and edge say to each other. The edge opens
 * `GET {hubUrl}api/edge/routes?edge=EDGE[&pieces=1][&since=SEQ&epoch=EPOCH]` with
 * `Authorization: token CONFIGPROXY_AUTH_TOKEN`; the answer is endless NDJSON, one
 * {@link EdgeMessage} a line. The first line is a snapshot, or `resume` when the hub can go on from
 * `since` of the same `epoch`. An edge that says `pieces=1` gets a snapshot in lines of at most
 * {@link routesPerPiece} routes: all but the last have `more`, all but the first are of type
 * `routes`; one of an earlier build does not say it and gets one line, and a hub of an earlier
 * build does not know it and sends one line. Then come changes in the order of their numbers, and a ping at least every
 * {@link pingIntervalMs}. Numbers grow but may skip: a route that changed twice before the hub read
 * it is sent once, with its last number. TCP keeps the order, so a skip is no loss; a number that
 * does not grow is an error, and the edge subscribes anew without `since`. What was applied is
 * acknowledged by `POST {hubUrl}api/edge/ack` ({@link EdgeAck}); activity goes to
 * `POST {hubUrl}api/edge/activity` ({@link EdgeActivity}).
 */
export const edgePaths = {
  routes: 'api/edge/routes',
  ack: 'api/edge/ack',
  activity: 'api/edge/activity',
} as const

/** How often the hub sends `ping`. */
export const pingIntervalMs = 5000
/** After this long without a line the edge takes the connection for dead. */
export const silenceTimeoutMs = 15_000
/** Routes in one line of a snapshot: a fraction of a millisecond's work for either side. */
export const routesPerPiece = 200
/** Longest line of the stream, in bytes (a snapshot of an earlier build, of about 100,000 routes). */
export const maxLineBytes = 64 * 1024 * 1024
/** Routes in one activity report, at most. */
export const maxActivityRoutes = 2000

export interface EdgeRoute {
  /** `/user/ada/`: escaped, with leading (or host) and final slash. */
  readonly routespec: string
  /** `http://host:port`. */
  readonly target: string
  readonly data: JsonObject
}

/**
 * All routes of the hub at `seq`, or later: changes after `seq` follow, be they in it or not.
 * Replaces what the edge had from any hub once its last piece is there.
 */
export interface SnapshotMessage {
  readonly type: 'snapshot'
  /** Changes when numbering starts anew. */
  readonly epoch: string
  readonly seq: number
  readonly routes: readonly EdgeRoute[]
  /** {@link RoutesMessage}s follow. */
  readonly more?: true
}

/** The next piece of a snapshot. */
export interface RoutesMessage {
  readonly type: 'routes'
  readonly routes: readonly EdgeRoute[]
  /** Others follow. */
  readonly more?: true
}

/** The edge's table is right as of `seq`, which is `since` or more; changes after it follow. */
export interface ResumeMessage {
  readonly type: 'resume'
  readonly epoch: string
  readonly seq: number
}

export interface SetMessage extends EdgeRoute {
  readonly type: 'set'
  /** Greater than that of the message before. */
  readonly seq: number
}

export interface DeleteMessage {
  readonly type: 'delete'
  /** Greater than that of the message before. */
  readonly seq: number
  readonly routespec: string
}

export interface PingMessage {
  readonly type: 'ping'
}

export type EdgeMessage =
  | SnapshotMessage
  | RoutesMessage
  | ResumeMessage
  | SetMessage
  | DeleteMessage
  | PingMessage

/** Every change up to `seq` is in force at this edge, those whose numbers were skipped included. */
export interface EdgeAck {
  readonly edge: string
  readonly seq: number
}

/** Latest activity of routes that had some since the last report: routespec to epoch milliseconds. */
export interface EdgeActivity {
  readonly edge: string
  readonly routes: Readonly<Record<string, number>>
}

/** A line or body that does not follow the protocol. */
export class EdgeProtocolError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'EdgeProtocolError'
  }
}

/** One line of the stream as the hub writes it, with its line end. */
export function formatEdgeMessage(message: EdgeMessage): string {
  return `${JSON.stringify(message)}\n`
}

/** Parses one line. Throws {@link EdgeProtocolError}; a type it does not know is an error as well. */
export function parseEdgeMessage(line: string): EdgeMessage {
  const value = parseObject(line)
  switch (text(value, 'type')) {
    case 'ping':
      return { type: 'ping' }
    case 'resume':
      return { type: 'resume', epoch: text(value, 'epoch'), seq: count(value, 'seq') }
    case 'set':
      return { type: 'set', seq: count(value, 'seq'), ...parseRoute(value) }
    case 'delete':
      return { type: 'delete', seq: count(value, 'seq'), routespec: text(value, 'routespec') }
    case 'snapshot':
      return {
        type: 'snapshot',
        epoch: text(value, 'epoch'),
        seq: count(value, 'seq'),
        ...parsePiece(value),
      }
    case 'routes':
      return { type: 'routes', ...parsePiece(value) }
    default:
      throw new EdgeProtocolError('a message of unknown type')
  }
}

/** Parses the body of `POST api/edge/ack`. Throws {@link EdgeProtocolError}. */
export function parseEdgeAck(body: unknown): EdgeAck {
  if (!isJsonObject(body)) throw new EdgeProtocolError('body is not an object')
  return { edge: text(body, 'edge'), seq: count(body, 'seq') }
}

/** Parses the body of `POST api/edge/activity`. Throws {@link EdgeProtocolError}. */
export function parseEdgeActivity(body: unknown): EdgeActivity {
  if (!isJsonObject(body)) throw new EdgeProtocolError('body is not an object')
  const routes = body['routes']
  if (!isJsonObject(routes)) throw new EdgeProtocolError("'routes' is not an object")
  const entries = Object.entries(routes)
  if (entries.length > maxActivityRoutes) throw new EdgeProtocolError('too many routes')
  // A null prototype: a routespec such as `__proto__` is an ordinary key.
  const parsed: Record<string, number> = Object.create(null) as Record<string, number>
  for (const [routespec] of entries) {
    if (routespec.length > maxRoutespecLength) throw new EdgeProtocolError('routespec too long')
    parsed[routespec] = count(routes, routespec)
  }
  return { edge: text(body, 'edge'), routes: parsed }
}

function parseObject(line: string): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (cause) {
    throw new EdgeProtocolError('a line is not JSON', { cause })
  }
  if (!isJsonObject(value)) throw new EdgeProtocolError('a line is not an object')
  return value
}

function parsePiece(value: JsonObject): Pick<RoutesMessage, 'routes' | 'more'> {
  const { routes, more } = value
  if (!Array.isArray(routes)) throw new EdgeProtocolError("'routes' is not a list")
  return { routes: routes.map(parseRoute), ...(more === true && { more }) }
}

function parseRoute(value: unknown): EdgeRoute {
  if (!isJsonObject(value)) throw new EdgeProtocolError('a route is not an object')
  const data = value['data'] ?? {}
  if (!isJsonObject(data)) throw new EdgeProtocolError("'data' is not an object")
  return { routespec: text(value, 'routespec'), target: text(value, 'target'), data }
}

function text(value: JsonObject, key: string): string {
  const field = value[key]
  if (typeof field !== 'string' || field === '' || field.length > maxRoutespecLength) {
    throw new EdgeProtocolError(`'${key}' is not a short text`)
  }
  return field
}

function count(value: JsonObject, key: string): number {
  const field = value[key]
  if (typeof field !== 'number' || !Number.isSafeInteger(field) || field < 0) {
    throw new EdgeProtocolError(`'${key}' is not a whole number`)
  }
  return field
}
