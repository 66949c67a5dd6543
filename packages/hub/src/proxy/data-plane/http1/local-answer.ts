import { STATUS_CODES } from 'node:http'

/** An answer of the edge itself. */
export interface LocalAnswer {
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Buffer
}

export function reasonOf(status: number): string {
  return STATUS_CODES[status] ?? 'Error'
}

/** What a client is told whose request goes nowhere; nothing where others say nothing. */
const refusals: Readonly<Record<number, string>> = {
  400: 'The request is not well-formed HTTP, or could be read in two ways.\n',
  408: 'The request came too slowly.\n',
  413: 'The body of the request is too large.\n',
  414: 'The address of the request is too long.\n',
  417: 'Of expectations only 100-continue can be met.\n',
  431: 'The head of the request is too large. In a browser, delete the cookies of this site.\n',
  505: 'The version of HTTP is not supported.\n',
}

/** The end of a request that cannot be read, or not to its end. */
export function refusalOf(status: number): LocalAnswer {
  const body = Buffer.from(refusals[status] ?? '')
  const type = ['Content-Type', 'text/plain; charset=utf-8'] as const
  return { status, headers: body.length === 0 ? [] : [type], body }
}
