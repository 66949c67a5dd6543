import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { takeLock } from './lock.mjs'

/** @param {import('node:test').TestContext} t */
function lockPath(t) {
  const dir = mkdtempSync(join(tmpdir(), 'orrery-lock-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return join(dir, 'state', 'setup.lock')
}

void test('a second taker waits until the first releases', async (t) => {
  const path = lockPath(t)
  const order = []
  const first = await takeLock(path, { deadlineMs: 1000 })
  const second = takeLock(path, {
    deadlineMs: 10_000,
    onWait: (pid) => {
      order.push(`waiting for ${pid}`)
      first.release()
    },
  })
  const lock = await second
  order.push('taken')
  lock.release()
  assert.deepEqual(order, [`waiting for ${process.pid}`, 'taken'])
  assert.equal(existsSync(path), false)
})

void test('a lock whose owner is gone is taken over', async (t) => {
  const path = lockPath(t)
  ;(await takeLock(path, { deadlineMs: 1000 })).release()
  const { pid } = spawnSync(process.execPath, ['-e', ''])
  writeFileSync(path, `${pid} 12345`)
  const lock = await takeLock(path, { deadlineMs: 1000 })
  assert.match(readFileSync(path, 'utf8'), new RegExp(`^${process.pid} `))
  lock.release()
})

void test('a pid that a later process got does not keep the lock', async (t) => {
  const path = lockPath(t)
  ;(await takeLock(path, { deadlineMs: 1000 })).release()
  writeFileSync(path, `${process.ppid} 1`)
  const lock = await takeLock(path, { deadlineMs: 1000 })
  lock.release()
})

void test('a tool that outlives its owner keeps the lock', async (t) => {
  const path = lockPath(t)
  const lock = await takeLock(path, { deadlineMs: 1000 })
  const tool = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  t.after(() => tool.kill('SIGKILL'))
  assert.ok(tool.pid)
  lock.addProcess(tool.pid)
  const lines = readFileSync(path, 'utf8').split('\n')
  writeFileSync(path, `999999999 1\n${lines[1]}`)
  await assert.rejects(takeLock(path, { deadlineMs: 300 }), /has been setting this clone up/)
  tool.kill('SIGKILL')
  await once(tool, 'exit')
  ;(await takeLock(path, { deadlineMs: 5000 })).release()
})

void test('of many processes that start at once over a stale lock, one at a time works', async (t) => {
  const path = lockPath(t)
  ;(await takeLock(path, { deadlineMs: 1000 })).release()
  writeFileSync(path, '999999999 1')
  const log = `${path}.log`
  writeFileSync(log, '')
  const program = `
    import { appendFileSync } from 'node:fs'
    import { takeLock } from ${JSON.stringify(new URL('./lock.mjs', import.meta.url).href)}
    const lock = await takeLock(${JSON.stringify(path)}, { deadlineMs: 60000 })
    appendFileSync(${JSON.stringify(log)}, 'in ')
    await new Promise((resolve) => setTimeout(resolve, 30))
    appendFileSync(${JSON.stringify(log)}, 'out ')
    lock.release()`
  const workers = Array.from({ length: 5 }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'ignore' }),
  )
  await Promise.all(workers.map((worker) => once(worker, 'exit')))
  assert.deepEqual(
    workers.map(({ exitCode }) => exitCode),
    [0, 0, 0, 0, 0],
  )
  assert.equal(readFileSync(log, 'utf8'), 'in out '.repeat(5))
})
