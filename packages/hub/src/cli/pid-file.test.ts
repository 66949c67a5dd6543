import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findEdgeOf, leavePidFile, takePidFile } from './pid-file.ts'

let folder: string
let path: string
const cleanups: (() => unknown)[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pid-'))
  path = join(folder, 'pid')
})
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
  rmSync(folder, { recursive: true, force: true })
})

/** A program with this command line, working in the folder. @returns its process id */
async function run(args: readonly string[]): Promise<number> {
  const code = 'console.log(1); setInterval(() => {}, 1000)'
  const child = spawn(process.execPath, ['-e', code, '--', ...args], { cwd: folder })
  cleanups.push(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  return child.pid ?? 0
}

const log = (): void => undefined
const hasProc = process.platform === 'linux'

test.skipIf(!hasProc)(
  'the edge of a pid file was given that file, however it is written',
  async () => {
    const given = [['edge', '--pid-file', path], [`--pid-file=${path}`], ['--pid-file', './pid']]
    for (const args of given) {
      const pid = await run(args)
      writeFileSync(path, String(pid))
      expect([args, findEdgeOf(path)?.pid]).toEqual([args, pid])
    }
  },
)

test.skipIf(!hasProc)(
  'others that have the number by now are none, nor is what is no number',
  async () => {
    const other = await run(['edge', '--pid-file', join(folder, 'other')])
    for (const text of [String(other), String(process.pid), '1', '-1', 'x', '']) {
      writeFileSync(path, text)
      expect([text, findEdgeOf(path)]).toEqual([text, undefined])
    }
  },
)

test.skipIf(!hasProc)('of two successors the later one sees the earlier one', async () => {
  const earlier = await run(['--pid-file', path])
  // It is about to take the file.
  writeFileSync(`${path}.lock`, '')
  const taking = takePidFile(path, log)
  writeFileSync(path, String(earlier))
  rmSync(`${path}.lock`)
  expect((await taking)?.pid).toBe(earlier)
  expect(readFileSync(path, 'utf8')).toBe(String(process.pid))
  writeFileSync(path, String(earlier))
  leavePidFile(path)
  expect(readFileSync(path, 'utf8')).toBe(String(earlier))
})

test('the file is written also where no lock can be made beside it', async () => {
  mkdirSync(`${path}.lock`) // as in a folder of somebody else's
  await takePidFile(path, log)
  expect(readFileSync(path, 'utf8')).toBe(String(process.pid))
})
