import { existsSync, statSync } from 'node:fs'
import { chmod, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import type { SpawnRequest } from '../../plugin-api/spawner.ts'
import { createProcessSpawner } from './process-spawner.ts'
import { makeContext, makeRequest } from './test-support.ts'

const never = new AbortController().signal
const isRoot = process.getuid?.() === 0
const nobody = { uid: 65_534, gid: 65_534 }
const cleanUps: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

/** A server that copies what it can read of its certificate to the file `seen` in its home. */
async function begin(
  runAs: { uid: number; gid: number } | undefined,
  changes: Partial<SpawnRequest> = {},
) {
  const { context, dataDir, dispose } = makeContext()
  await chmod(dataDir, 0o777)
  const owner = { runAs, home: dataDir, environment: { HOME: dataDir } }
  const spawner = createProcessSpawner(context, { getOwner: async () => owner })
  const issued: (readonly string[])[] = []
  const request = makeRequest({
    environment: (_bind, certificate) => ({
      KEY: certificate?.keyPath ?? '',
      CERT: certificate?.certPath ?? '',
      CA: certificate?.caPath ?? '',
    }),
    issueCertificate: async (names) => {
      issued.push(names)
      return { key: "it's a key\n", cert: 'a certificate\n', ca: '$(authorities)\n' }
    },
    command: [
      'sh',
      '-c',
      'cat "$KEY" "$CERT" "$CA" > "$HOME/seen.new"; env >> "$HOME/seen.new"; echo "$KEY" > "$HOME/key"; mv "$HOME/seen.new" "$HOME/seen"; exec sleep 60',
    ],
    ...changes,
  })
  const state = await spawner.prepare(request, never)
  cleanUps.push(dispose, () => spawner.stop(state, AbortSignal.timeout(1)))
  const seen = async () => {
    await expect.poll(() => existsSync(join(dataDir, 'seen')), { timeout: 10_000 }).toBe(true)
    return {
      text: await readFile(join(dataDir, 'seen'), 'utf8'),
      keyPath: (await readFile(join(dataDir, 'key'), 'utf8')).trim(),
    }
  }
  return { spawner, request, state, issued, dataDir, seen }
}

it('the server is given files that it alone may read, and they go with the run', async () => {
  const { spawner, request, state, issued, seen } = await begin(undefined)
  const { target } = await spawner.start(request, state, never)
  expect(target.protocol).toBe('https:')
  expect(issued).toEqual([['127.0.0.1']])
  const { text, keyPath } = await seen()
  expect(text).toContain("it's a key\na certificate\n$(authorities)\n")
  expect(text).not.toContain('ORRERY_TLS')
  expect(statSync(keyPath).mode & 0o777).toBe(0o600)
  await spawner.stop(state, AbortSignal.timeout(5_000))
  await spawner.forget?.(state)
  expect(existsSync(keyPath)).toBe(false)
})

it.skipIf(!isRoot)(
  'another system user writes them at home, each server of its own (needs root)',
  async () => {
    const { spawner, request, state, dataDir, seen } = await begin(nobody)
    await spawner.start(request, state, never)
    const { text, keyPath } = await seen()
    expect(text).toContain("it's a key")
    expect(keyPath).toMatch(/\/\.jupyterhub\/jupyterhub-certs\/[0-9a-f]{16}\/server\.key$/)
    expect(statSync(keyPath)).toMatchObject(nobody)
    expect(statSync(keyPath).mode & 0o777).toBe(0o600)
    await spawner.stop(state, AbortSignal.timeout(5_000))

    const second = { ...request, runId: 'f'.repeat(32), serverName: 'second' }
    const other = await spawner.prepare(second, never)
    cleanUps.push(() => spawner.stop(other, AbortSignal.timeout(1)))
    await spawner.start(second, other, never)
    await expect
      .poll(async () => (await readFile(join(dataDir, 'key'), 'utf8')).trim(), { timeout: 10_000 })
      .not.toBe(keyPath)
    expect(existsSync(keyPath)).toBe(true)
  },
)

it('a start that was prepared with a certificate is not made without one', async () => {
  const { spawner, request, state } = await begin(undefined)
  const plain = makeRequest({ runId: request.runId })
  await expect(spawner.start(plain, state, never)).rejects.toThrow(/internal_ssl was turned off/)
})
