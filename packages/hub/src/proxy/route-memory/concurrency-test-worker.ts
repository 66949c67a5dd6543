import { parentPort, workerData } from 'node:worker_threads'
import { RouteMemory } from './route-memory.ts'
import { RouteReader } from './route-reader.ts'

/** Matches paths over and over, until told to end, and says what was wrong. Part of a test. */

const { buffer, names } = workerData as { buffer: SharedArrayBuffer; names: readonly string[] }
const reader = new RouteReader(RouteMemory.attach(buffer))
const wrong = new Set<string>()
let asked = 0
let isEnding = false
parentPort?.once('message', () => (isEnding = true))

/** Of a path that comes and goes: itself as it was set at one time, or its parent. */
function check(name: string): void {
  asked += 1
  const route = reader.match(`/user/${name}/lab/tree`)
  if (route === undefined) {
    wrong.add(`${name}: nothing`)
    return
  }
  const { path, entry } = route
  if (path === '/') return
  const said = `${path} ${entry.targetUrl} ${JSON.stringify(entry.data)}`
  const size = entry.targetUrl.length - `http://${name}:1/`.length
  const expected = `http://${name}:1/${'x'.repeat(Math.max(0, size))}`
  if (path !== `/user/${name}` && path !== `/user/${name}/lab`) wrong.add(said)
  else if (entry.targetUrl !== expected || entry.data['user'] !== name) wrong.add(said)
  else reader.touch(route, asked)
}

function round(): void {
  for (let i = 0; i < 50; i += 1) for (const name of names) check(name)
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
  if (isEnding) parentPort?.postMessage({ asked, wrong: [...wrong].slice(0, 10) })
  else setImmediate(round)
}
round()
