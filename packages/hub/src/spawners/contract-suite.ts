import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import type { Spawner, SpawnRequest } from '../plugin-api/spawner.ts'
import { isJsonObject } from '../util/json.ts'
import type { JsonObject } from '../util/json.ts'

/** A spawner under test, and what it can run. */
export interface SpawnerUnderTest {
  readonly spawner: Spawner
  /** A user that the spawner can run servers for. */
  readonly username: string
  /**
   * A command that serves HTTP at the port in the variable `PORT` and answers `GET /` with JSON
   * `{ id: unique for each process, env: its environment }`.
   */
  readonly command: readonly string[]
  /** Another instance over the same platform and folders, as after a restart of the hub. */
  restart(): Spawner
  dispose(): Promise<void>
}

export interface SpawnerContractOptions {
  readonly name: string
  make(): Promise<SpawnerUnderTest>
  /** Why a case does not apply, by its name; `'*'` skips everything. */
  readonly skip?: Readonly<Record<string, string>>
  /** Time for a start to answer HTTP. */
  readonly readyTimeoutMs?: number
}

/** What every spawner must hold. For the tests of built-in and third-party spawners alike. */
export function spawnerContract(contract: SpawnerContractOptions): void {
  const { skip = {}, readyTimeoutMs = 10_000 } = contract
  const never = new AbortController().signal

  describe(`${contract.name}: spawner contract`, () => {
    const open: { fixture: SpawnerUnderTest; states: JsonObject[] }[] = []

    afterEach(async () => {
      for (const { fixture, states } of open.splice(0)) {
        for (const state of states) await fixture.spawner.stop(state, AbortSignal.timeout(5_000))
        await fixture.dispose()
      }
    })

    const begin = async (changes: Partial<SpawnRequest> = {}) => {
      const fixture = await contract.make()
      const request = makeRequest(fixture, changes)
      const state = await fixture.spawner.prepare(request, never)
      open.push({ fixture, states: [state] })
      return { fixture, spawner: fixture.spawner, request, state }
    }

    const check = (name: string, run: () => Promise<void>) => {
      const reason = skip['*'] ?? skip[name]
      if (reason === undefined) it(name, run)
      else it.skip(`${name} (skipped: ${reason})`)
    }

    check('the prepared state survives JSON and starts nothing', async () => {
      const { spawner, state } = await begin()
      expect(JSON.parse(JSON.stringify(state))).toEqual(state)
      expect(await spawner.poll(state, never)).not.toBeNull()
    })

    check('a started server answers at its target and polls as running', async () => {
      const { spawner, request, state } = await begin()
      const started = await spawner.start(request, state, never)
      const answer = await ask(started.target, readyTimeoutMs)
      expect(answer.env['CONTRACT_SECRET']).toBe("a 'quoted' $value\nwith lines")
      expect(await spawner.poll(started.state, never)).toBeNull()
    })

    check('starting the same state again adopts the server', async () => {
      const { fixture, spawner, request, state } = await begin()
      const first = await ask((await spawner.start(request, state, never)).target, readyTimeoutMs)
      const again = await fixture.restart().start(request, state, never)
      expect((await ask(again.target, readyTimeoutMs)).id).toBe(first.id)
    })

    check('another instance polls and stops from the stored state alone', async () => {
      const { fixture, spawner, request, state } = await begin()
      const started = await spawner.start(request, state, never)
      await ask(started.target, readyTimeoutMs)
      const stored = JSON.parse(JSON.stringify(started.state)) as typeof started.state
      const other = fixture.restart()
      expect(await other.poll(stored, never)).toBeNull()
      await other.stop(stored, never)
      expect(await other.poll(stored, never)).not.toBeNull()
      await expect(fetch(started.target)).rejects.toThrow()
    })

    check('stop is safe twice, and when nothing ever ran', async () => {
      const { spawner, state } = await begin()
      await spawner.stop(state, never)
      await spawner.stop(state, never)
      expect(await spawner.poll(state, never)).not.toBeNull()
    })

    check('an aborted start rejects and leaves nothing after stop', async () => {
      const { spawner, request, state } = await begin()
      const abort = new AbortController()
      const start = spawner.start(request, state, abort.signal)
      abort.abort(new Error('cancelled'))
      await expect(start).rejects.toThrow()
      await spawner.stop(state, never)
      expect(await spawner.poll(state, never)).not.toBeNull()
    })

    check('an exit is reported by poll', async () => {
      const command = ['sh', '-c', 'sleep 1; exit 3']
      const { spawner, request, state } = await begin({ command })
      const started = await spawner.start(request, state, never)
      const status = await until(() => spawner.poll(started.state, never), readyTimeoutMs)
      expect(status).toBeTypeOf('number')
    })

    check('servers of one user run side by side', async () => {
      const { fixture, spawner, request, state } = await begin()
      const second = makeRequest(fixture, { serverName: 'second' })
      const secondState = await spawner.prepare(second, never)
      open.at(-1)?.states.push(secondState)
      const [a, b] = await Promise.all([
        spawner.start(request, state, never),
        spawner.start(second, secondState, never),
      ])
      const [x, y] = await Promise.all([
        ask(a.target, readyTimeoutMs),
        ask(b.target, readyTimeoutMs),
      ])
      expect(x.id).not.toBe(y.id)
      await spawner.stop(a.state, never)
      expect(await spawner.poll(b.state, never)).toBeNull()
    })

    check('forget is idempotent', async () => {
      const { spawner, state } = await begin()
      await spawner.forget?.(state)
      await spawner.forget?.(state)
    })
  })
}

function makeRequest(fixture: SpawnerUnderTest, changes: Partial<SpawnRequest>): SpawnRequest {
  return {
    runId: randomBytes(16).toString('hex'),
    username: fixture.username,
    serverName: '',
    command: fixture.command,
    bind: { ip: '127.0.0.1', port: 0 },
    userOptions: {},
    limits: {},
    environment: (bind) => ({
      PORT: `${bind.port}`,
      CONTRACT_SECRET: "a 'quoted' $value\nwith lines",
    }),
    report: () => undefined,
    ...changes,
  }
}

async function ask(target: URL, timeoutMs: number): Promise<{ id: string; env: JsonObject }> {
  const answer = await until(async () => {
    try {
      const body: unknown = await (await fetch(target)).json()
      return body
    } catch {
      return null
    }
  }, timeoutMs)
  if (!isJsonObject(answer) || !isJsonObject(answer['env'])) throw new Error('unexpected answer')
  return { id: JSON.stringify(answer['id']), env: answer['env'] }
}

async function until<T>(look: () => Promise<T | null>, timeoutMs: number): Promise<T> {
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; await sleep(25)) {
    const found = await look()
    if (found !== null) return found
  }
  throw new Error(`nothing within ${timeoutMs} ms`)
}
