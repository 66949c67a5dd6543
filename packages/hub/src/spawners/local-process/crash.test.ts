import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { findClaim } from './claim.ts'
import { listOrphanRuns } from './orphans.ts'
import { createProcessSpawner } from './process-spawner.ts'
import { listRunProcesses } from './run-processes.ts'
import { makeContext, makeRequest } from './test-support.ts'

const never = new AbortController().signal
const points = ['prepared', 'folder', 'spawned', 'claimed'] as const
/** Holds the wrapper before its claim until the hub is dead and its successor has begun. */
const slowWrapper = ': > "$ORRERY_RUN_DIR/wrapper-is-here"; sleep 0.7'

/** A hub that was killed at `point` of a start, and its successor. */
async function crashAt(point: (typeof points)[number]) {
  const { context, dataDir, dispose } = makeContext()
  const spawner = createProcessSpawner(context, {
    getOwner: async () => ({ runAs: undefined, home: dataDir, environment: {} }),
  })
  const request = makeRequest({ command: ['sleep', '60'] })
  const state = await spawner.prepare(request, never)
  const prelude = point === 'spawned' ? slowWrapper : ''
  const order = { options: context.options, dataDir, request, state, point, prelude }
  const program = fileURLToPath(new URL('crash-child.ts', import.meta.url))
  const child = spawn(process.execPath, [program, JSON.stringify(order)], { stdio: 'inherit' })
  const [, signal] = (await once(child, 'exit')) as [unknown, unknown]
  expect(signal).toBe('SIGKILL')
  const alive = async () =>
    await listRunProcesses({
      runId: state.runId,
      runDir: state.runDir,
      leader: undefined,
      known: [],
    })
  const end = async () => {
    await spawner.stop(state, AbortSignal.timeout(1))
    await dispose()
  }
  return { spawner, request, state, dataDir, alive, end }
}

it.each(points)('killed when %s: starting again leaves exactly one server', async (point) => {
  const { spawner, request, state, alive, end } = await crashAt(point)
  const started = await spawner.start(request, state, never)
  expect(await spawner.poll(started.state, never)).toBeNull()
  // The slow wrapper of the killed hub has come and gone once only the server is left.
  await expect.poll(alive).toHaveLength(1)
  expect((await alive())[0]?.pid).toBe(started.state.pid)
  await end()
})

it.each(points)('killed when %s: stopping leaves no server, now or later', async (point) => {
  const { spawner, state, alive, end } = await crashAt(point)
  await spawner.stop(state, never)
  expect(await alive()).toEqual([])
  await sleep(point === 'spawned' ? 900 : 0) // longer than the wrapper waits
  expect(await alive()).toEqual([])
  expect(await spawner.poll(state, never)).not.toBeNull()
  await end()
})

it('a wrapper that comes after the run was taken exits without a server', async () => {
  const { context, dataDir, dispose } = makeContext()
  const spawner = createProcessSpawner(context, {
    getOwner: async () => ({ runAs: undefined, home: dataDir, environment: {} }),
    prelude: `printf '0 0 0\\n' > "$ORRERY_RUN_DIR/pid"`,
  })
  const request = makeRequest()
  const state = await spawner.prepare(request, never)
  await expect(spawner.start(request, state, never)).rejects.toThrow('stopped before it started')
  await expect.poll(async () => await spawner.poll(state, never)).toBe(0)
  await dispose()
})

it('a start under way is neither running nor over', async () => {
  const { spawner, state, end } = await crashAt('spawned')
  await expect(spawner.poll(state, never)).rejects.toThrow('not known')
  await end()
})

it('a run that the hub does not know is listed, and can be stopped', async () => {
  const { spawner, state, dataDir, alive, end } = await crashAt('claimed')
  expect(await listOrphanRuns(dataDir, new Set([state.runId]))).toEqual([])
  const [orphan] = await listOrphanRuns(dataDir, new Set())
  expect(orphan?.runId).toBe(state.runId)
  if (orphan !== undefined) await spawner.stop(orphan, never)
  expect(await alive()).toEqual([])
  expect(await findClaim(state.runDir)).toMatchObject({ kind: 'process' })
  await end()
})
