import { request as requestHttp } from 'node:http'
import type { IncomingMessage, RequestOptions } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { ConnectionOptions } from 'node:tls'
import { findTarget } from '../target.ts'
import { lookupName } from './name-lookup.ts'
import type { LocalAnswer } from './http1/local-answer.ts'

const timeoutMs = 10_000
/** Asked at a time, each over a connection of its own: one that hangs must not gather thousands. */
const maxAsked = 100
let asking = 0
/** Larger error pages are replaced by the built-in ones. */
const maxPageBytes = 1024 * 1024

/**
 * Asks another server for the page of an error; `undefined` when it gives none. Its status does not
 * count, and it learns nothing of the client but the address that was asked for.
 * Source: contract proxy §7.
 */
export async function askErrorTarget(
  errorTarget: string,
  failure: {
    readonly code: number
    /** Target of the request, as it was sent. */
    readonly asked: string
    readonly tls: ConnectionOptions | undefined
  },
): Promise<LocalAnswer | undefined> {
  const target = findTarget(errorTarget)
  if (target === undefined || asking >= maxAsked) return undefined
  const { code, asked, tls } = failure
  const { protocol, hostname, port, host, socketPath } = target
  const options: RequestOptions = {
    ...(socketPath === undefined ? { hostname, port, lookup: lookupName } : { socketPath }),
    path: `${target.path}/${code}?url=${encodeURIComponent(asked)}`,
    headers: { Host: host },
    agent: false,
    signal: AbortSignal.timeout(timeoutMs),
  }
  asking += 1
  try {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const request =
        protocol === 'https:'
          ? requestHttps({ ...tls, ...options }, resolve)
          : requestHttp(options, resolve)
      request.on('error', reject).end()
    })
    return await readPage(code, answer)
  } catch {
    return undefined
  } finally {
    asking -= 1
  }
}

async function readPage(code: number, answer: IncomingMessage): Promise<LocalAnswer | undefined> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of answer as AsyncIterable<Buffer>) {
    size += part.length
    if (size > maxPageBytes) return undefined
    parts.push(part)
  }
  const headers = ['content-type', 'content-encoding'].flatMap((name) => {
    const value = answer.headers[name]
    return typeof value === 'string' ? [[name, value] as const] : []
  })
  return { status: code, headers, body: Buffer.concat(parts) }
}
