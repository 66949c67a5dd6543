import { Agent, type IncomingMessage, request as httpRequest } from 'node:http'

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
  /** The connection was held open past the deadline: what came until then. */
  readonly isCutOff: boolean
}

export interface Question {
  readonly origin: string
  readonly method: string
  /** As it goes on the wire. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Buffer | undefined
  readonly deadlineMs: number
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 })

/**
 * Sends exactly this request: no header is added but Host, Connection and the length, no redirect followed, the
 * path not rewritten, which `fetch` would all do.
 * @throws when no answer begins within the deadline
 */
export async function ask(question: Question): Promise<Answer> {
  try {
    return await askOnce(question)
  } catch (error) {
    // A kept connection may be closed by the other side in the moment it is used again.
    if (isReset(error)) return askOnce(question)
    throw error
  }
}

function askOnce(question: Question): Promise<Answer> {
  const { origin, method, path, body, deadlineMs } = question
  const { hostname, port } = new URL(origin)
  const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }
  const bare = body === undefined && method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS'
  return new Promise((resolve, reject) => {
    const headers = { ...question.headers, ...length, ...(bare && { 'Content-Length': '0' }) }
    const sent = httpRequest({ hostname, port, method, path, headers, agent })
    const timer = setTimeout(
      () => sent.destroy(new Error(`no answer within ${deadlineMs} ms`)),
      deadlineMs,
    )
    sent.on('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    sent.on('response', (answer) => {
      clearTimeout(timer)
      collect(answer, deadlineMs).then(resolve, reject)
    })
    sent.end(body)
  })
}

function collect(answer: IncomingMessage, deadlineMs: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const finish = (isCutOff: boolean) => {
      clearTimeout(timer)
      resolve({
        status: answer.statusCode ?? 0,
        headers: answer.headers,
        body: Buffer.concat(chunks).toString('utf8'),
        isCutOff,
      })
    }
    const timer = setTimeout(() => {
      finish(true)
      answer.destroy()
    }, deadlineMs)
    answer.on('data', (chunk: Buffer) => chunks.push(chunk))
    answer.on('end', () => finish(false))
    answer.on('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
  })
}

function isReset(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false
  return error.code === 'ECONNRESET' || error.code === 'EPIPE'
}

/** Ends the connections that are kept for later. */
export function closeConnections(): void {
  agent.destroy()
}
