import { parentPort, workerData } from 'node:worker_threads'

// A thread that says when it is time, many times a millisecond: timers of Node know milliseconds only.
// Its first message is when it begins, in milliseconds of `process.hrtime`, which all threads share.
const { durationMs, intervalMs } = workerData as { durationMs: number; intervalMs: number }
const cell = new Int32Array(new SharedArrayBuffer(4))
const now = (): number => Number(process.hrtime.bigint()) / 1e6

const beginsAt = now() + 10
say(beginsAt)
for (let at = beginsAt; at < beginsAt + durationMs; at += intervalMs) {
  for (let left = at - now(); left > 0; left = at - now()) Atomics.wait(cell, 0, 0, left)
  say(0)
}

function say(what: number): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
  parentPort?.postMessage(what)
}
