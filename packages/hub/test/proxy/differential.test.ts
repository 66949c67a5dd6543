import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  addRoute,
  cleanups,
  edge,
  temporaryFolder,
} from '../../src/proxy/data-plane/edge-test-kit.ts'
import { exchange, readAnswer, startRecorder } from './differential-kit.ts'
import type { Message, Recorder } from './differential-kit.ts'
import { createOddRequests } from './differential-requests.ts'
import type { OddRequest } from './differential-requests.ts'
import { freePort } from '../support/ports.ts'

const cases = createOddRequests(2000)
const parallel = 16
const nginx = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/bin/nginx'].find(existsSync)

interface Outcome {
  readonly seen: Message
  readonly got: Message
  /** The second request of the connection was answered. */
  readonly isKept: boolean
}

let recorder: Recorder
let direct: Outcome[]

beforeAll(async () => {
  recorder = await startRecorder()
  direct = await runAll(recorder.port)
})
afterAll(() => recorder.stop())

async function runAll(port: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < cases.length) {
      const index = next++
      const one = cases[index]
      if (one !== undefined) outcomes[index] = await run(port, one, String(index))
    }
  }
  await Promise.all(Array.from({ length: parallel }, worker))
  return outcomes
}

const second = 'GET /second HTTP/1.1\r\nHost: x\r\nX-Case: second\r\nConnection: close\r\n\r\n'

const nothing: Message = { line: 'nothing', fields: [], body: '', trailers: [] }

async function run(port: number, one: OddRequest, name: string): Promise<Outcome> {
  recorder.seen.delete(name)
  const text = await exchange(port, one.isFollowed ? one.text + second : one.text)
  const { answer, rest } = readAnswer(text, one.method === 'HEAD')
  const seen = recorder.seen.get(name)
  // Refused on the way: what was seen is nothing.
  return { seen: seen ?? nothing, got: answer, isKept: rest.startsWith('HTTP/1.1 ') }
}

/** Explains a difference: what a proxy makes of what is seen or got without it. */
interface Rule {
  readonly why: string
  readonly apply: (message: Message, one: OddRequest) => Message
}

const without =
  (...names: string[]) =>
  (message: Message): Message => ({
    ...message,
    fields: message.fields.filter(([name]) => !names.includes(name)),
  })
const fieldOf = ({ fields }: Message, name: string): string | undefined => {
  const values = fields.filter(([one]) => one === name).map(([, value]) => value)
  return values.length === 0 ? undefined : values.join(',')
}
const withField = (message: Message, name: string, value: string): Message => ({
  ...message,
  fields: [...without(name)(message).fields, [name, value] as const].toSorted(([a], [b]) =>
    a < b ? -1 : a > b ? 1 : 0,
  ),
})
const append = (message: Message, name: string, value: string): Message => {
  const before = fieldOf(message, name)
  return withField(message, name, before === undefined ? value : `${before},${value}`)
}
const saysLength = ['DELETE', 'OPTIONS', 'POST', 'PUT', 'PATCH']

/** Of both proxies. */
const requestLine: Rule = {
  why: 'targets go on without scheme and host, as HTTP/1.1',
  apply: (message, one) => ({
    ...message,
    line: `${one.method} ${one.target.replace(/^http:\/\/[^/]*/, '')} 1.1`,
  }),
}
const framing: Rule = {
  why: 'framing is of one connection, and so is whether it is kept',
  apply: without('connection', 'keep-alive', 'transfer-encoding'),
}
const date: Rule = {
  why: 'the clock goes on',
  apply: (message) => withField(message, 'date', 'a date'),
}

const edgeRequests: readonly Rule[] = [
  requestLine,
  {
    why: 'a query of nothing is none',
    apply: (message) => ({ ...message, line: message.line.replace('? 1.1', ' 1.1') }),
  },
  {
    why: 'dot segments are resolved, two slashes begin a host, `\\` is `/`, as readers of URLs have it',
    apply: (message) => ({
      ...message,
      line: message.line
        .replace(' /a/%2e%2e/b', ' /b')
        .replace(' //double//slash', ' /slash')
        .replace(' /a\\b\\c', ' /a/b/c'),
    }),
  },
  { why: 'fields that Connection names are of one connection', apply: without('x-mine') },
  { why: 'fields of one connection', apply: without('keep-alive', 'te', 'connection', 'upgrade') },
  {
    why: 'fields for a proxy',
    apply: without('proxy-authorization', 'proxy-connection', 'http2-settings'),
  },
  { why: 'it is answered by the proxy', apply: without('expect') },
  { why: 'servers may take it for the other spelling', apply: without('x_forwarded_for') },
  {
    why: 'who asked, for a peer that is trusted',
    apply: (message) => {
      const named = append(message, 'x-forwarded-for', '127.0.0.1')
      const ported = append(append(named, 'x-forwarded-port', '80'), 'x-forwarded-proto', 'http')
      return withField(ported, 'x-forwarded-host', 'hub.example:80')
    },
  },
  {
    why: 'no body is said to servers that would wait for one',
    apply: (message, one) =>
      saysLength.includes(one.method) &&
      fieldOf(message, 'content-length') === undefined &&
      fieldOf(message, 'transfer-encoding') === undefined
        ? withField(message, 'content-length', '0')
        : message,
  },
]
const edgeAnswers: readonly Rule[] = [framing, date]

interface Rules {
  readonly requests: readonly Rule[]
  readonly answers: readonly Rule[]
  /** What cannot be told beforehand: applied to both sides. */
  readonly eitherRequest?: readonly Rule[]
  /** Refused by the proxy itself with 400. */
  readonly refuses?: { readonly why: string; readonly test: (one: OddRequest) => boolean }
}

/** What one has and the other has not, in short. */
function difference(expected: Message, actual: Message): readonly string[] {
  const parts = ({ line, fields, body, trailers }: Message): string[] => [
    line,
    ...[...fields, ...trailers].map((field) => field.join(': ')),
    `body of ${body.length}, ${body.slice(0, 20)}`,
  ]
  const [before, after] = [parts(expected), parts(actual)]
  return [
    ...before.filter((part) => !after.includes(part)).map((part) => `- ${part}`),
    ...after.filter((part) => !before.includes(part)).map((part) => `+ ${part}`),
  ]
}

function compare(outcomes: readonly Outcome[], rules: Rules): void {
  const used = new Set<Rule>()
  const explain = (message: Message, one: OddRequest, by: readonly Rule[]): Message => {
    let now = message
    for (const rule of by) {
      const next = rule.apply(now, one)
      if (JSON.stringify(next) !== JSON.stringify(now)) used.add(rule)
      now = next
    }
    return now
  }
  const unexplained: unknown[] = []
  for (const [index, one] of cases.entries()) {
    const [alone, through] = [direct[index], outcomes[index]]
    if (alone === undefined || through === undefined) throw new Error(`no outcome of ${index}`)
    if (rules.refuses?.test(one) === true) {
      expect(through.seen, rules.refuses.why).toBe(nothing)
      expect(through.got.line).toMatch(/^HTTP\/1\.1 400 /)
      continue
    }
    const { eitherRequest = [] } = rules
    const ofProxy = {
      ...through,
      seen: explain(through.seen, one, eitherRequest),
      got: explain(through.got, one, [framing, date]),
    }
    const expected = {
      seen: explain(alone.seen, one, [...rules.requests, ...eitherRequest]),
      got: explain(alone.got, one, rules.answers),
      isKept: alone.isKept,
    }
    if (JSON.stringify(ofProxy) !== JSON.stringify(expected)) {
      unexplained.push({
        request: `${index}: ${one.text.slice(0, 300)}`,
        seen: difference(expected.seen, ofProxy.seen),
        got: difference(expected.got, ofProxy.got),
        isKept: ofProxy.isKept,
      })
    }
  }
  expect(unexplained.slice(0, 3), `${unexplained.length} unexplained`).toEqual([])
  for (const rule of [...rules.requests, ...rules.answers]) {
    expect(used.has(rule), `a rule explains nothing: ${rule.why}`).toBe(true)
  }
}

test('through the edge, servers see and clients get the same, but for what is explained', async () => {
  const e = await edge()
  await addRoute(e, '/', `http://127.0.0.1:${recorder.port}`)
  const outcomes = await runAll(e.port)
  compare(outcomes, { requests: edgeRequests, answers: edgeAnswers })
}, 60_000)

const nginxRequests: readonly Rule[] = [
  requestLine,
  {
    why: 'nginx leaves these out',
    apply: without('keep-alive', 'te', 'connection', 'upgrade', 'expect'),
  },
  { why: 'nginx drops trailers', apply: (message) => ({ ...message, trailers: [] }) },
]
const nginxAnswers: readonly Rule[] = [
  framing,
  date,
  { why: 'nginx drops trailers', apply: (message) => ({ ...message, trailers: [] }) },
]

test('through nginx, the same, but for what is explained', async ({ skip }) => {
  if (nginx === undefined) return skip('no nginx on this machine')
  const outcomes = await runAll(await startNginx(nginx, recorder.port))
  compare(outcomes, {
    requests: nginxRequests,
    answers: nginxAnswers,
    eitherRequest: [
      {
        why: 'nginx says the length of chunks that it has in whole',
        apply: (message, one) =>
          one.text.includes('\r\nTransfer-Encoding: chunked\r\n')
            ? without('transfer-encoding', 'content-length')(message)
            : message,
      },
    ],
    refuses: { why: 'nginx takes no NUL', test: ({ target }) => target.includes('%00') },
  })
}, 60_000)

async function startNginx(program: string, target: number): Promise<number> {
  const folder = await temporaryFolder()
  const port = await freePort()
  const temps = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const config = `worker_processes 1; daemon off; error_log stderr crit; pid ${folder}/pid;
events { worker_connections 512; }
http { access_log off; underscores_in_headers on; ignore_invalid_headers off; lingering_close always;
  large_client_header_buffers 8 64k; client_max_body_size 0;
  ${temps.map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}
  upstream target { server 127.0.0.1:${target}; keepalive 32; }
  server { listen 127.0.0.1:${port}; merge_slashes off; location / {
    proxy_pass http://target; proxy_http_version 1.1; proxy_set_header Host $http_host;
    proxy_set_header Connection ""; proxy_request_buffering off; proxy_buffering off;
    proxy_pass_header Server; proxy_pass_header Date; } } }`
  await writeFile(join(folder, 'nginx.conf'), config)
  const args = ['-p', folder, '-e', 'stderr', '-c', join(folder, 'nginx.conf')]
  const child = spawn(program, args, { stdio: 'ignore' })
  cleanups.push(async () => {
    child.kill('SIGTERM')
    if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve))
  })
  for (;;) {
    if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}`)
    const isUp = await fetch(`http://127.0.0.1:${port}/`, { headers: { 'X-Case': '8' } }).then(
      () => true,
      () => false,
    )
    if (isUp) return port
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
