/**
 * Test program: begins a start and is killed by its own hand at the point named. Reads one JSON
 * object from its first argument: { context, request, state, point, prelude }.
 */
import { mkdir } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SpawnerContext, SpawnRequest } from '../../plugin-api/spawner.ts'
import type { LocalProcessOptions } from './options.ts'
import { createProcessSpawner } from './process-spawner.ts'
import type { ProcessState } from './state.ts'

interface Order {
  readonly options: LocalProcessOptions
  readonly dataDir: string
  readonly request: Omit<SpawnRequest, 'environment' | 'report'>
  readonly state: ProcessState
  readonly point: 'prepared' | 'folder' | 'spawned' | 'claimed'
  readonly prelude: string
}

const order = JSON.parse(process.argv[2] ?? '') as Order
const { state, point } = order
const die = () => process.kill(process.pid, 'SIGKILL')
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }
const context: SpawnerContext<LocalProcessOptions> = { ...order, logger: silent }
const spawner = createProcessSpawner(context, {
  getOwner: async () => ({ runAs: undefined, home: order.dataDir, environment: {} }),
  prelude: order.prelude,
})

if (point === 'prepared') die()
await mkdir(state.runDir, { recursive: true, mode: 0o700 })
if (point === 'folder') die()
const request: SpawnRequest = {
  ...order.request,
  environment: (bind) => ({ PORT: `${bind.port}` }),
  report: () => undefined,
}
const start = spawner.start(request, state, new AbortController().signal)
if (point === 'spawned') {
  while (!existsSync(`${state.runDir}/wrapper-is-here`)) await sleep(5)
  die()
}
await start
die()
