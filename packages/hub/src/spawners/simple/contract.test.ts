import { spawnerContract } from '../contract-suite.ts'
import { makeContext, serverCommand } from '../local-process/test-support.ts'
import { simpleSpawner } from './definition.ts'

spawnerContract({
  name: 'simple',
  make: async () => {
    const { context, dispose } = makeContext()
    const restart = () => simpleSpawner.create(context)
    return { spawner: restart(), username: 'ada', command: serverCommand, restart, dispose }
  },
})
