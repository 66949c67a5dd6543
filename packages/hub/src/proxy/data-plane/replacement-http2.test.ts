import { existsSync, readFileSync } from 'node:fs'
import { type ClientHttp2Session, connect, constants } from 'node:http2'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { freePort } from '../../../test/support/ports.ts'
import { cleanups, serve, startProcess, temporaryFolder } from './edge-test-kit.ts'
import { hasOpenssl, makeCertificate } from './tls/certificates-for-tests.ts'

const patience = { timeout: 20_000 }
const sessions = 4
const streamsEach = 8
const upload = Buffer.alloc(50_000, 'u')
const download = Buffer.alloc(100_000, 'd')

/** What became of requests: each is an upload whose length comes back before a large body. */
interface Tally {
  answered: number
  /** Sent before it was heard that the edge goes; told that nobody saw it, so that browsers send it again (RFC 9113 §8.7). */
  turnedAway: number
  readonly failures: string[]
}

/** A browser's way: many streams on a connection, and another connection once it is told to leave. */
class Client {
  readonly tally: Tally = { answered: 0, turnedAway: 0, failures: [] }
  /** Codes of the GOAWAY frames that came. */
  readonly goodbyes: number[] = []
  readonly #url: string
  #session: ClientHttp2Session
  #isOver = false
  #loops: Promise<unknown> = Promise.resolve()

  constructor(url: string) {
    this.#url = url
    this.#session = this.#open()
  }

  start(): void {
    this.#loops = Promise.all(Array.from({ length: streamsEach }, () => this.#askForEver()))
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#loops
    this.#session.close()
  }

  /** Text of the answer, or why there is none. */
  async ask(path: string): Promise<string> {
    if (this.#session.closed || this.#session.destroyed) this.#session = this.#open()
    const stream = this.#session.request({ ':path': path, ':method': 'POST' })
    let error = ''
    stream.on('error', ({ code }: NodeJS.ErrnoException) => (error = code ?? 'error'))
    const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()))
    let text = ''
    let isWhole = false
    stream.setEncoding('latin1').on('data', (chunk: string) => (text += chunk))
    stream.once('end', () => (isWhole = true)).end(upload)
    await closed
    if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) return 'turned away'
    return isWhole && error === '' ? text : `${error} reset by ${stream.rstCode}`
  }

  #open(): ClientHttp2Session {
    const session = connect(this.#url, { rejectUnauthorized: false })
    session.on('error', (error: Error) => this.tally.failures.push(`connection: ${error.message}`))
    session.once('goaway', (code: number) => {
      this.goodbyes.push(code)
      if (this.#session === session) this.#session = this.#open()
    })
    cleanups.push(() => session.destroy())
    return session
  }

  async #askForEver(): Promise<void> {
    while (!this.#isOver) {
      const text = await this.ask('/')
      if (text === answer) this.tally.answered += 1
      else if (text === 'turned away') this.tally.turnedAway += 1
      else this.tally.failures.push(text.slice(0, 200))
    }
  }
}

const answer = `${upload.length} ${download.toString('latin1')}`

test.skipIf(!hasOpenssl())(
  '--replace under HTTP/2: streams under way finish, clients are told to leave, nothing is refused or lost',
  async () => {
    const releases: (() => void)[] = []
    const target = await serve(async (req, res) => {
      let size = 0
      for await (const chunk of req) size += (chunk as Buffer).length
      res.write(`${size} `)
      if (req.url === '/long') await new Promise<void>((resolve) => releases.push(resolve))
      res.end(download)
    })
    const dir = await temporaryFolder()
    const { keyPath, certPath } = makeCertificate(dir, { name: 'hub', names: ['localhost'] })
    const pidPath = join(dir, 'pid')
    const port = await freePort()
    const args = ['--port', port, '--pid-file', pidPath, '--replace', '--workers', 2]
    args.push('--ssl-key', keyPath, '--ssl-cert', certPath, '--default-target', target.url)
    args.push('--api-port', await freePort())
    const start = () => startProcess(dir, args.map(String))
    const pid = (): string => (existsSync(pidPath) ? readFileSync(pidPath, 'utf8') : '')
    let current = await start()
    await vi.waitUntil(() => pid() === String(current.child.pid), patience)
    const clients = Array.from({ length: sessions }, () => new Client(`https://localhost:${port}`))
    for (const client of clients) client.start()
    const answered = (): number[] => clients.map(({ tally }) => tally.answered)
    const untilMore = async (): Promise<void> => {
      const before = answered()
      await vi.waitUntil(() => answered().every((n, i) => n > (before[i] ?? 0) + 20), patience)
    }
    for (let turn = 1; turn <= 2; turn += 1) {
      await untilMore()
      const long = clients.map((client) => client.ask('/long'))
      await vi.waitUntil(() => releases.length === clients.length, patience)
      const old = current
      current = await start()
      await vi.waitUntil(() => clients.every(({ goodbyes }) => goodbyes.length >= turn), patience)
      expect(pid()).toBe(String(current.child.pid))
      // On new connections, while the old ones have a stream each.
      await untilMore()
      expect(old.child.exitCode).toBe(null)
      for (const release of releases.splice(0)) release()
      expect(await Promise.all(long)).toEqual(clients.map(() => answer))
      await vi.waitUntil(() => old.child.exitCode !== null, patience)
      expect(old.child.exitCode).toBe(2)
    }
    await Promise.all(clients.map((client) => client.stop()))
    expect(clients.flatMap(({ tally }) => tally.failures)).toEqual([])
    // Only what crossed the goodbye: no more than were under way, each time.
    for (const { tally } of clients) expect(tally.turnedAway).toBeLessThanOrEqual(2 * streamsEach)
    expect(clients.flatMap(({ goodbyes }) => goodbyes).every((code) => code === 0)).toBe(true)
  },
  60_000,
)
