import type { FastifyInstance, FastifyRequest } from 'fastify'
import { HubError } from '../domain/errors.ts'

/** The white space that Python's `bytes.strip` knows; a byte order mark is no JSON. */
const space: ReadonlySet<number | undefined> = new Set(Buffer.from('\t\n\v\f\r '))

const maxDepth = 500
const [quote, backslash, openBrace, closeBrace, openBracket, closeBracket] = Buffer.from('"\\{}[]')

/** Larger bodies are refused with 413. */
export const maxBodyBytes = 1_048_576

/**
 * What a missing or falsy body (`null`, `{}`, `[]`, `""`, `0`, `false`) means.
 * `optional` reads it as `{}`, `nullable` does so for a missing one and `null`; `required` refuses
 * a missing one and leaves the rest to the schema.
 */
export type BodyRule = 'optional' | 'nullable' | 'required'

/**
 * Takes every body as bytes, whatever its `Content-Type`: the credentials have decided already
 * whether the type matters, and {@link readJsonBody} reads it for the routes that want one.
 */
export function addBodyParser(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>(
    '*',
    { parseAs: 'buffer', bodyLimit: maxBodyBytes },
    (_request, bytes, done) => done(null, bytes),
  )
}

/**
 * Reads the body as JSON and applies the route's rule. Routes without a rule have no body.
 * Zero bytes are no body; bad UTF-8 is replaced.
 * Source: contract rest-api §1.3.
 * @throws HubError `body_invalid`
 */
export function readJsonBody(request: FastifyRequest, rule: BodyRule | undefined): void {
  const bytes = request.body
  request.body = undefined
  if (rule === undefined) return
  if (Buffer.isBuffer(bytes)) request.body = parseJsonBody(bytes)
  applyBodyRule(request, rule)
}

function parseJsonBody(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined
  try {
    requireShallow(bytes)
    return JSON.parse(strip(bytes).toString('utf8'), dropPrototype)
  } catch (error) {
    throw new HubError('body_invalid', { cause: error })
  }
}

/** Byte by byte: a pattern takes the square of the length for a run of spaces before something. */
function strip(bytes: Buffer): Buffer {
  let start = 0
  let end = bytes.length
  while (start < end && space.has(bytes[start])) start += 1
  while (end > start && space.has(bytes[end - 1])) end -= 1
  return bytes.subarray(start, end)
}

/** Deeper nesting is somebody's attempt to exhaust the stack of whatever walks through the value. */
function requireShallow(bytes: Buffer): void {
  if (bytes.length <= 2 * maxDepth) return // too short to be deep
  let depth = 0
  let isText = false
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at]
    if (isText) {
      if (byte === backslash) at += 1
      else if (byte === quote) isText = false
    } else if (byte === quote) isText = true
    else if (byte === openBrace || byte === openBracket) depth += 1
    else if (byte === closeBrace || byte === closeBracket) depth -= 1
    if (depth > maxDepth) throw new RangeError('nested too deeply')
  }
}

/** The parser is chosen by type before it runs, and an odd type would be refused: forget it. */
export function ignoreContentType(request: FastifyRequest): void {
  Reflect.deleteProperty(request.raw.headers, 'content-type')
}

function applyBodyRule(request: FastifyRequest, rule: BodyRule): void {
  if (rule === 'optional') {
    if (isFalsyBody(request.body)) request.body = {}
  } else if (rule === 'nullable') {
    request.body ??= {}
  } else if (request.body === undefined) {
    throw new HubError('body_invalid', { message: 'A JSON body is needed' })
  }
}

function isFalsyBody(body: unknown): boolean {
  if (body === undefined || body === null) return true
  if (Array.isArray(body)) return body.length === 0
  if (typeof body === 'object') return Object.keys(body).length === 0
  return body === '' || body === 0 || body === false
}

/** `__proto__` as a key is somebody's attempt; nothing of ours is called so. */
function dropPrototype(key: string, value: unknown): unknown {
  return key === '__proto__' ? undefined : value
}
