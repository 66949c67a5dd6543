import { readFile } from 'node:fs/promises'
import { STATUS_CODES } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { request } from 'undici'
import type { EdgeContext } from './context.ts'

export interface ProxyFailure {
  readonly code: 404 | 500 | 503
  /** The hub itself does not answer: asking it for an error page would be in vain. */
  readonly isHubDown: boolean
}

const errorTargetTimeoutMs = 10_000
const texts = {
  404: 'There is nothing at this address.',
  500: 'The proxy could not handle this request.',
  503: 'The server does not answer. It may be starting or stopped.',
} as const

/** Answers for a request that could not be forwarded. Source: contract proxy §7. */
export async function answerFailure(
  context: EdgeContext,
  exchange: { readonly req: IncomingMessage; readonly res: ServerResponse },
  failure: ProxyFailure,
): Promise<void> {
  const { req, res } = exchange
  if (res.headersSent || res.destroyed) {
    res.destroy()
    return
  }
  // The rest of an unread body must not be taken for the next request.
  if (!req.complete) res.setHeader('Connection', 'close')
  if (failure.isHubDown) return answerHubDown(req, res)
  const { errorTarget, errorPath } = context.options
  if (errorTarget !== undefined) {
    if (await relayErrorTarget(errorTarget, exchange, failure.code)) return
  } else if (errorPath !== undefined) {
    const file = await findErrorFile(errorPath, failure.code)
    if (file !== undefined) return send(res, failure.code, file)
  }
  if (res.headersSent || res.destroyed) return
  send(res, failure.code, page(STATUS_CODES[failure.code] ?? '', texts[failure.code]))
}

function answerHubDown(req: IncomingMessage, res: ServerResponse): void {
  res.setHeader('Retry-After', '2')
  const accept = req.headers.accept ?? ''
  const isApi = accept.includes('json') || /\/api(?:[/?]|$)/.test(req.url ?? '')
  if (!isApi)
    return send(res, 503, page('The hub is restarting…', 'This page tries again by itself.'))
  const body = JSON.stringify({ status: 503, message: 'The hub is restarting. Try again shortly.' })
  send(res, 503, body, 'application/json')
}

async function relayErrorTarget(
  errorTarget: string,
  { req, res }: { readonly req: IncomingMessage; readonly res: ServerResponse },
  code: number,
): Promise<boolean> {
  const base = errorTarget.endsWith('/') ? errorTarget : `${errorTarget}/`
  try {
    const answer = await request(`${base}${code}?url=${encodeURIComponent(req.url ?? '')}`, {
      signal: AbortSignal.timeout(errorTargetTimeoutMs),
    })
    const headers: Record<string, string> = {}
    for (const name of ['content-type', 'content-encoding']) {
      const value = answer.headers[name]
      if (typeof value === 'string') headers[name] = value
    }
    res.writeHead(code, headers)
    await pipeline(answer.body, res)
    return true
  } catch {
    // Unreachable before the head was sent: the built-in page follows; later the answer is cut.
    if (res.headersSent) res.destroy()
    return res.headersSent
  }
}

async function findErrorFile(directory: string, code: number): Promise<Buffer | undefined> {
  for (const name of [`${code}.html`, 'error.html']) {
    const file = await readFile(join(directory, name)).catch(() => undefined)
    if (file !== undefined) return file
  }
  return undefined
}

function send(res: ServerResponse, code: number, body: string | Buffer, type = 'text/html'): void {
  res.writeHead(code, {
    'Content-Type': `${type}; charset=utf-8`,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  })
  res.end(body)
}

function page(title: string, message: string): string {
  const refresh = title.startsWith('The hub') ? '<meta http-equiv="refresh" content="2">' : ''
  return `<!doctype html><html lang="en"><meta charset="utf-8">${refresh}<title>${title}</title>
<body style="font-family:system-ui;margin:4rem auto;max-width:32rem"><h1>${title}</h1><p>${message}</p></html>
`
}
