import { type ClientError, fail, type Result, succeed } from './result.ts'
import { describeFailure } from './transport.ts'

const defaultMaxBytes = 64 * 1024 * 1024
/** Texts of errors are for people; a proxy's whole page is not. */
const maxMessageChars = 500

/** Reads an answer to its end. */
export async function readAnswer(
  response: Response,
  options: { readonly signal: AbortSignal; readonly maxBytes?: number | undefined },
): Promise<Result<unknown>> {
  const { status } = response
  let text: string | undefined
  try {
    text = await readText(response, options.maxBytes ?? defaultMaxBytes)
  } catch (error) {
    return fail(describeFailure(error, options.signal))
  }
  if (text === undefined) return malformed(response, 'is too long')
  if (isRedirect(response)) return malformed(response, 'leads elsewhere; is the address right?')
  const isJson = /^application\/json\b/i.test(response.headers.get('content-type') ?? '')
  if (!response.ok) return fail(refusal(response, isJson ? parse(text) : undefined))
  if (text === '') return succeed(undefined, status)
  const value = isJson ? parse(text) : undefined
  return value === undefined ? malformed(response, 'is not JSON') : succeed(value, status)
}

/** The hub's own words where it gave some. */
function refusal(response: Response, body: unknown): ClientError {
  const { status } = response
  const given =
    typeof body === 'object' && body !== null && 'message' in body ? body.message : undefined
  const message =
    typeof given === 'string' && given !== ''
      ? given.slice(0, maxMessageChars)
      : `The hub answered ${status}${response.statusText === '' ? '' : ` ${response.statusText}`}.`
  const retryAfterMs = readRetryAfter(response)
  return { kind: 'refused', status, message, ...(retryAfterMs !== undefined && { retryAfterMs }) }
}

export function readRetryAfter(response: Response): number | undefined {
  const text = response.headers.get('retry-after') ?? ''
  return /^\d{1,9}$/.test(text) ? Number(text) * 1000 : undefined
}

function malformed(response: Response, what: string) {
  const { status } = response
  return fail({
    kind: 'malformed',
    message: `The answer (status ${status}) ${what}: this is not a hub's API.`,
    status,
  })
}

/** Browsers hide where a redirect leads, and its status with it. */
function isRedirect({ status, type }: Response): boolean {
  return type === 'opaqueredirect' || (status >= 300 && status < 400)
}

/** @returns `undefined` beyond the bound */
async function readText(response: Response, maxBytes: number): Promise<string | undefined> {
  if (response.body === null) return ''
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    bytes += value.byteLength
    if (bytes > maxBytes) {
      await reader.cancel().catch(() => undefined)
      return undefined
    }
    text += decoder.decode(value, { stream: true })
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
