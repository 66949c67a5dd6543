import { statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, it } from 'vitest'
import { spawnerContract } from '../contract-suite.ts'
import { localProcessSpawner } from './definition.ts'
import { createSystemUser, makeContext, makeRequest, serverCommand } from './test-support.ts'

const isRoot = process.getuid?.() === 0
const user = isRoot ? createSystemUser() : undefined
afterAll(() => user?.remove())
const never = new AbortController().signal

spawnerContract({
  name: 'local-process',
  ...(isRoot ? {} : { skip: { '*': 'becoming another system user needs root' } }),
  make: async () => {
    const { context, dispose } = makeContext()
    const restart = () => localProcessSpawner.create(context)
    const username = user?.name ?? ''
    return { spawner: restart(), username, command: serverCommand, restart, dispose }
  },
})

it.skipIf(!isRoot)(
  'the server has the uid, groups and home of its user; its log is ours',
  async () => {
    const { context, dispose } = makeContext()
    const spawner = localProcessSpawner.create(context)
    const username = user?.name ?? ''
    const command = ['sh', '-c', 'id -un; id -Gn; pwd; echo "$USER $HOME $SHELL"; exec sleep 30']
    const request = makeRequest({ username, command })
    const state = await spawner.prepare(request, never)
    try {
      await spawner.start(request, state, never)
      let tail = ''
      for (let i = 0; i < 200 && !tail.includes('/bin/sh'); i++) {
        tail = (await spawner.logTail?.(state, 10)) ?? ''
        await sleep(20)
      }
      const home = `/home/${username}`
      expect(tail.split('\n')).toEqual([
        username,
        `${username} users`,
        home,
        `${username} ${home} /bin/sh`,
      ])
      const log = statSync(join(state.runDir, 'server.log'))
      expect([log.uid, log.mode & 0o777]).toEqual([0, 0o600])
    } finally {
      await spawner.stop(state, never)
      await dispose()
    }
  },
)

it('a missing system user is refused with the remedy', async () => {
  const { context, dispose } = makeContext()
  const spawner = localProcessSpawner.create(context)
  const request = makeRequest({ username: 'no-such-user' })
  const state = await spawner.prepare(request, never)
  await expect(spawner.start(request, state, never)).rejects.toMatchObject({
    name: 'SpawnRefused',
    message: expect.stringContaining('useradd') as string,
  })
  await dispose()
})

it.each(['0', '-x', 'a:b', 'a/b', '*'])('the name %j is no system user', async (username) => {
  const { context, dispose } = makeContext()
  const spawner = localProcessSpawner.create(context)
  const request = makeRequest({ username })
  const state = await spawner.prepare(request, never)
  await expect(spawner.start(request, state, never)).rejects.toMatchObject({
    reason: 'no_system_user',
  })
  await dispose()
})
