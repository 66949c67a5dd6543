import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'

const patience = { timeout: 10_000 }

/** Writes 500 bytes to stderr for each byte of its input, and says so on stdout. */
const program = `
  import { outliveBrokenOutput, writeStandardError } from ${JSON.stringify(new URL('standard-error.ts', import.meta.url).href)}
  outliveBrokenOutput()
  let lines = 0
  process.stdin.on('data', (bytes) => {
    for (const _ of bytes) {
      writeStandardError(String(++lines).padEnd(499, '.') + '\\n')
      process.stdout.write('.')
    }
  })`
const node = [process.execPath, '--input-type=module', '-e', program]

function start(command: readonly string[], stderr: 'pipe' | 'ignore' = 'ignore') {
  const [name = '', ...args] = command
  const child = spawn(name, args, { stdio: ['pipe', 'pipe', stderr] })
  const { stdin, stdout } = child
  if (stdin === null || stdout === null) throw new Error('no pipes')
  let written = 0
  stdout.on('data', (chunk: Buffer) => (written += chunk.length))
  const write = async (count: number): Promise<void> => {
    const wanted = written + count
    stdin.write('x'.repeat(count))
    await vi.waitUntil(() => written === wanted || child.exitCode !== null, patience)
    expect(child.exitCode).toBeNull()
  }
  const end = async (): Promise<unknown> => {
    stdin.end()
    return (await once(child, 'exit'))[0]
  }
  return { child, write, end }
}

test('a full disk loses lines, not the program; once there is room one tells how many', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stderr-'))
  const log = join(folder, 'log')
  // A limit on the size of files is as good as a full disk, and needs no rights.
  const limited = `ulimit -f 2; trap '' XFSZ; log=$1; shift; exec "$@" 2>>"$log"`
  const { write, end } = start(['bash', '-c', limited, 'bash', log, ...node])
  try {
    await write(10)
    expect(readFileSync(log).length).toBeLessThanOrEqual(2048)
    truncateSync(log)
    await write(1)
    const lines = readFileSync(log, 'utf8').trim().split('\n')
    expect(lines[0]).toMatch(/^6 times no log could be written: EFBIG/)
    expect(lines[1]).toMatch(/^11\.+$/)
    expect(await end()).toBe(0)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a reader that has gone does not end the program', async () => {
  const { child, write, end } = start(node, 'pipe')
  await write(1)
  child.stderr?.destroy()
  await write(20)
  await write(1)
  expect(await end()).toBe(0)
})
