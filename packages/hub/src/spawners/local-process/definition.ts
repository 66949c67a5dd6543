import { defineSpawner } from '../../plugin-api/spawner.ts'
import type { LocalProcessOptions } from './options.ts'
import { createProcessSpawner } from './process-spawner.ts'
import { processStateSchema } from './state.ts'
import type { ProcessState } from './state.ts'
import { getRunnableUser } from './system-user.ts'

/**
 * Runs each server on this machine as the system user of the same name, with its supplementary
 * groups. Needs Linux (`/proc`) and, for users other than the hub's own, root and `setpriv`.
 * Source: JupyterHub 6.0, `LocalProcessSpawner`.
 */
export const localProcessSpawner = defineSpawner<LocalProcessOptions, ProcessState>({
  id: 'local-process',
  state: processStateSchema,
  create: (context) =>
    createProcessSpawner(context, {
      async getOwner(request, signal) {
        const { name, uid, gid, home, shell } = await getRunnableUser(request.username, signal)
        return {
          runAs: uid === process.getuid?.() ? undefined : { uid, gid },
          home,
          environment: { USER: name, HOME: home, SHELL: shell },
        }
      },
    }),
})
