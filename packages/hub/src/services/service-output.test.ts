import { appendFile, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { followOutput } from './service-output.ts'

let folder: string
let path: string
let lines: string[]
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'orrery-output-'))
  path = join(folder, 'server.log')
  lines = []
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const follow = (from: 'start' | 'end') =>
  followOutput({ path, from, onLine: (line) => lines.push(line) })

async function until(check: () => boolean): Promise<void> {
  for (const giveUpAt = Date.now() + 5_000; !check(); await delay(10)) {
    if (Date.now() > giveUpAt) throw new Error(`not true in time: ${JSON.stringify(lines)}`)
  }
}

test('lines come whole, without control codes and within bounds', async () => {
  await writeFile(path, 'one\n\u001B[31mred\u001B[0m\ttab\r\n\n\u0007bell\n')
  await appendFile(path, `${'x'.repeat(10_000)}\nend, without a line break: \u20AC`)
  const stop = follow('start')
  await stop()
  expect(lines.slice(0, 3)).toEqual(['one', 'red  tab', '\\u0007bell'])
  expect(lines.at(-1)).toBe('end, without a line break: \u20AC')
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(4_200)
})

test('what was written before is left out for a service that is taken over', async () => {
  await writeFile(path, 'old\n')
  const stop = follow('end')
  for (const giveUpAt = Date.now() + 5_000; lines.length === 0; await delay(10)) {
    if (Date.now() > giveUpAt) throw new Error('nothing came')
    await appendFile(path, 'new\n')
  }
  await stop()
  expect(new Set(lines)).toEqual(new Set(['new']))
})

test('a file that was emptied is read from its beginning', async () => {
  await writeFile(path, 'a long line, longer than the next\n')
  const stop = follow('start')
  await until(() => lines.length === 1)
  await truncate(path, 0)
  await appendFile(path, 'next\n')
  await until(() => lines.length === 2)
  await stop()
  expect(lines[1]).toBe('next')
})

test('a flood is cut, and says so', async () => {
  await writeFile(path, 'flood\n'.repeat(400_000))
  const stop = follow('start')
  await until(() => lines.length > 0)
  await stop()
  expect(lines[0]).toMatch(/^\(\d+ bytes of output are left out here/)
  expect(lines.length).toBeLessThan(20_000)
})

test('a file that is not there yet is no failure', async () => {
  const stop = follow('start')
  await writeFile(path, 'late\n')
  await until(() => lines.length === 1)
  await stop()
  expect(lines).toEqual(['late'])
})
