import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

export interface RedirectOptions {
  /** Port that browsers are sent to; left out of the address when it is 443. */
  readonly toPort: number
  /** Answers pending challenges of a certificate authority. */
  readonly findChallenge?: (token: string) => Promise<string | undefined>
}

/** Whoever says nothing here must not take the files that the public side needs. */
const maxConnections = 500
const challengePrefix = '/.well-known/acme-challenge/'
const hostPattern = /^(?:\[[0-9a-f:.]+\]|[\w.-]+)(?::\d{1,5})?$/i

/**
 * Sends whoever comes by plain HTTP to the same address by HTTPS.
 * Source: contract proxy §10, `--redirect-port`. Differs from configurable-http-proxy: 443 is left
 * out of the address, and a `Host` that is none is refused.
 */
export function createRedirectServer(options: RedirectOptions): Server {
  const times = {
    headersTimeout: 10_000,
    requestTimeout: 10_000,
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: 1_000,
  }
  const server = createServer(times, (req, res) => {
    answer(req, res, options).catch(() => res.destroy())
  })
  server.maxConnections = maxConnections
  return server
}

async function answer(
  req: IncomingMessage,
  res: ServerResponse,
  { toPort, findChallenge }: RedirectOptions,
): Promise<void> {
  const url = req.url ?? '/'
  if (findChallenge !== undefined && url.startsWith(challengePrefix)) {
    const found = await findChallenge(url.slice(challengePrefix.length))
    res.writeHead(found === undefined ? 404 : 200, { 'Content-Type': 'text/plain' }).end(found)
    return
  }
  const host = req.headers.host ?? ''
  if (!hostPattern.test(host) || !url.startsWith('/')) {
    res.writeHead(400, { 'Content-Type': 'text/plain', Connection: 'close' })
    res.end('This address needs HTTPS and a Host header.\n')
    return
  }
  const name = host.replace(/:\d+$/, '')
  const port = toPort === 443 ? '' : `:${toPort}`
  res.writeHead(301, { Location: `https://${name}${port}${url}`, 'Content-Length': 0 }).end()
}
