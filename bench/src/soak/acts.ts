import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2'
import { type Socket, connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { Holder } from '../holder.ts'
import { events, slowPieces } from './targets.ts'
import { type WatchedEdge, pingIntervalMs } from './watched-edge.ts'

/** What came of one request. */
export interface Outcome {
  /** A status, or how it failed. */
  readonly result: string
  readonly isExpected: boolean
}

/** Something that a client does to an edge; how many do it at once. */
export interface Act {
  readonly name: string
  readonly clients: number
  /** HTTP/2 needs TLS. */
  readonly needsTls?: boolean
  run(edge: WatchedEdge): Promise<Outcome>
}

/** Nothing here takes that long. */
const unansweredMs = 30_000
const vanishing = 20
const pipelinedRequests = 50
/** Of an answer; the rest is counted by nobody. */
const keptCharacters = 20_000
const uploadBytes = 2_000_000
/** Two letters, masked by zeros. */
const message = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69])

export const acts: readonly Act[] = [
  { name: 'request', clients: 4, run: (edge) => answered(edge, get('/live/small'), /taken 0$/) },
  { name: 'requests on one connection', clients: 2, run: pipelined },
  { name: 'upload', clients: 1, run: upload },
  {
    name: 'event stream',
    clients: 2,
    run: (edge) => answered(edge, get('/live/events'), new RegExp(`data: ${events - 1}\\n`)),
  },
  {
    name: 'slow server',
    clients: 1,
    run: (edge) => answered(edge, get('/live/slow'), new RegExp(`x{${slowPieces}}$`)),
  },
  { name: 'server that refuses', clients: 1, run: (edge) => refused(edge, '/refusing/x') },
  { name: 'server that resets', clients: 1, run: (edge) => cutAnswer(edge) },
  {
    name: 'client leaves a hanging server',
    clients: 2,
    run: (edge) => left(edge, get('/hanging/x'), 300),
  },
  {
    name: 'client leaves within its head',
    clients: 1,
    run: (edge) => left(edge, 'GET /live/small HTTP/1.1\r\nHo', 50),
  },
  {
    name: 'client leaves within its body',
    clients: 1,
    run: (edge) => left(edge, post(10_000_000), 100, Buffer.alloc(1_000_000)),
  },
  { name: 'client leaves within its answer', clients: 2, run: slowReader },
  { name: 'WebSocket that talks', clients: 3, run: (edge) => webSocket(edge, 'close') },
  { name: 'WebSocket that is cut', clients: 1, run: (edge) => webSocket(edge, 'cut') },
  { name: 'WebSocket that is abandoned', clients: 2, run: (edge) => webSocket(edge, 'abandon') },
  { name: 'HTTP/2 streams', clients: 2, needsTls: true, run: http2 },
]

/** Clients that vanish as a machine does that loses its network: sockets stay and nobody is there. */
export async function vanishClients(edge: WatchedEdge): Promise<Outcome> {
  if (edge.isTls) throw new Error('the holder speaks no TLS')
  const holder = await Holder.open(edge.port, vanishing)
  try {
    holder.vanish()
    await delay(pingIntervalMs * 3)
    return { result: 'vanished', isExpected: true }
  } finally {
    await holder.close()
  }
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`
const post = (bytes: number): string =>
  `POST /live/taken HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${bytes}\r\n\r\n`

async function answered(edge: WatchedEdge, text: string, ending: RegExp): Promise<Outcome> {
  const got = await talk(edge, text)
  await delay(20)
  return { result: resultOf(got), isExpected: got.startsWith('HTTP/1.1 200') && ending.test(got) }
}

async function refused(edge: WatchedEdge, path: string): Promise<Outcome> {
  const result = resultOf(await talk(edge, get(path)))
  await delay(50)
  return { result, isExpected: result === '503' }
}

/** What was begun and cannot be finished is cut: less than was promised has come. */
async function cutAnswer(edge: WatchedEdge): Promise<Outcome> {
  const got = await talk(edge, get('/resetting/x'))
  await delay(50)
  const result = resultOf(got)
  return {
    result: `${result} and cut`,
    isExpected: result === '503' || (result === '200' && !got.includes('x'.repeat(1000))),
  }
}

async function upload(edge: WatchedEdge): Promise<Outcome> {
  const got = await talk(edge, post(uploadBytes), (socket) =>
    socket.write(Buffer.alloc(uploadBytes, 'x')),
  )
  await delay(50)
  return { result: resultOf(got), isExpected: got.endsWith(`taken ${uploadBytes}`) }
}

/** Many, so that a little that is kept of each comes to much. */
async function pipelined(edge: WatchedEdge): Promise<Outcome> {
  const keep = 'GET /live/small HTTP/1.1\r\nHost: x\r\n\r\n'
  const got = await talk(edge, keep.repeat(pipelinedRequests - 1) + get('/live/small'))
  await delay(150)
  const answers = got.split('HTTP/1.1 200').length - 1
  const result = answers === pipelinedRequests ? '200' : resultOf(got)
  return { result, isExpected: answers === pipelinedRequests }
}

/** Sends, and leaves after a while whatever came. */
async function left(
  edge: WatchedEdge,
  text: string,
  afterMs: number,
  more?: Buffer,
): Promise<Outcome> {
  await talk(edge, text, (socket) => {
    if (more !== undefined) socket.write(more)
    setTimeout(() => socket.destroy(), afterMs)
  })
  return { result: 'left', isExpected: true }
}

async function slowReader(edge: WatchedEdge): Promise<Outcome> {
  const got = await talk(edge, 'GET /live/large HTTP/1.1\r\nHost: x\r\n\r\n', (socket) => {
    socket.pause()
    setTimeout(() => socket.resume(), 100)
    setTimeout(() => socket.destroy(), 200)
  })
  await delay(200)
  return {
    result: got === '' ? 'left before' : resultOf(got),
    isExpected: got === '' || got.startsWith('HTTP/1.1 200'),
  }
}

async function webSocket(edge: WatchedEdge, then: 'close' | 'cut' | 'abandon'): Promise<Outcome> {
  const text =
    'GET /live/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
  const got = await talk(edge, text, (socket) => {
    // An abandoned client keeps its socket and says nothing more: the edge has to end it.
    if (then === 'abandon') return
    const timer = setInterval(() => socket.writable && socket.write(message), 20)
    socket.once('close', () => clearInterval(timer))
    // Whoever ends its side before it is answered asks for another answer.
    socket.once('data', () => {
      setTimeout(() => (then === 'cut' ? socket.destroy() : socket.end()), 300)
    })
  })
  if (got === '' && then === 'cut') return { result: 'left before', isExpected: true }
  return { result: resultOf(got), isExpected: got.startsWith('HTTP/1.1 101') }
}

/** Several streams of one session: finished, and taken back. */
async function http2(edge: WatchedEdge): Promise<Outcome> {
  const session = connectHttp2(`https://127.0.0.1:${edge.port}`, { rejectUnauthorized: false })
  const waiting = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  const failed = new Promise<string>((resolve) => {
    session.once('error', () => resolve('cut')).once('close', () => resolve('closed'))
    timer = setTimeout(() => resolve(describeWaiting(session, waiting)), unansweredMs)
  })
  const ask = (path: string): Promise<string> =>
    new Promise((resolve) => {
      const stream = session.request({ ':path': path })
      const name = `${path} ${stream.id}`
      waiting.add(name)
      stream.once('response', (head) => {
        waiting.delete(name)
        resolve(String(head[':status']))
      })
      const isTakenBack = path.endsWith('large')
      stream.on('error', () => undefined)
      stream.once('close', () =>
        resolve(isTakenBack && stream.rstCode === constants.NGHTTP2_CANCEL ? '200' : 'cut'),
      )
      if (isTakenBack) setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), 100)
      stream.resume()
    })
  const all = Promise.all(['/live/small', '/live/slow', '/live/large', '/live/small'].map(ask))
  const results = await Promise.race([all, failed])
  clearTimeout(timer)
  await delay(150)
  session.destroy()
  const result =
    typeof results === 'string' ? results : (results.find((one) => one !== '200') ?? '200')
  return { result: `h2 ${result}`, isExpected: result === '200' }
}

const unanswered = 'not answered'

/** What is known of a session on which nothing came for too long. */
function describeWaiting(session: ClientHttp2Session, waiting: ReadonlySet<string>): string {
  const { connecting, closed, destroyed, socket } = session
  const [port, read] = [socket.localPort, socket.bytesRead]
  const facts = JSON.stringify({ connecting, closed, destroyed, port, read })
  return `${unanswered}: ${[...waiting].join(', ')} ${facts}`
}

function resultOf(got: string): string {
  if (got === unanswered) return got
  return got === '' ? 'cut' : got.slice(9, 12)
}

/** Sends a text, and whatever `then` does. @returns what came until the connection was closed */
function talk(edge: WatchedEdge, text: string, then?: (socket: Socket) => void): Promise<string> {
  return new Promise((resolve) => {
    const at = { port: edge.port, host: '127.0.0.1', rejectUnauthorized: false }
    const socket = edge.isTls ? connectTls(at) : connect(at)
    let got = ''
    const timer = setTimeout(() => {
      got = unanswered
      socket.destroy()
    }, unansweredMs)
    socket.once(edge.isTls ? 'secureConnect' : 'connect', () => {
      socket.write(text, 'latin1')
      then?.(socket)
    })
    socket.on('data', (bytes: Buffer) =>
      got.length < keptCharacters ? (got += bytes.toString('latin1')) : got,
    )
    socket.on('error', () => undefined)
    socket.once('close', () => {
      clearTimeout(timer)
      resolve(got)
    })
  })
}
