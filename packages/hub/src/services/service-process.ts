import { stat } from 'node:fs/promises'
import type { Spawner } from '../plugin-api/spawner.ts'
import {
  createProcessSpawner,
  type ProcessOwner,
} from '../spawners/local-process/process-spawner.ts'
import type { ProcessState } from '../spawners/local-process/state.ts'
import { findSystemUser } from '../spawners/local-process/system-user.ts'
import type { ManagedService, ServiceLogger, ServiceSettings } from './settings.ts'

/**
 * Runs services as the local-process spawner runs servers: one process per run whatever crashes in
 * between, in a session of its own, its output in a file, its secrets in its environment only.
 */
export function createServiceProcesses(options: {
  settings: ServiceSettings
  /** Folder for their files; exists, mode 0700. */
  dataDir: string
  logger: ServiceLogger
}): Spawner<ProcessState> {
  const { settings, dataDir, logger } = options
  return createProcessSpawner(
    { options: settings.process, dataDir, logger },
    {
      // Its URL may be that of a proxy of its own, which is there before it.
      claimsPort: false,
      commandHint: "Name it by its path in JupyterHub.services, or extend the hub's PATH.",
      async getOwner({ username: name }, signal) {
        const service = settings.services.find((candidate) => candidate.name === name)
        if (service === undefined) throw new TypeError('not a configured service')
        const owner = await findOwner(service, signal)
        await assertFolder(service.cwd)
        return owner
      },
    },
  )
}

async function findOwner(service: ManagedService, signal: AbortSignal): Promise<ProcessOwner> {
  const home = service.cwd === '' ? process.cwd() : service.cwd
  if (service.user === '') return { runAs: undefined, home, environment: {} }
  const user = await findSystemUser(service.user, signal)
  if (user === undefined) throw new Error(`there is no system user '${service.user}'`)
  const ownUid = process.getuid?.()
  if (ownUid !== 0 && ownUid !== user.uid) {
    throw new Error(`only a hub that runs as root can start it as the system user '${user.name}'`)
  }
  return {
    runAs: user.uid === ownUid ? undefined : { uid: user.uid, gid: user.gid },
    home: service.cwd === '' ? user.home : service.cwd,
    environment: { USER: user.name, HOME: user.home, SHELL: user.shell },
  }
}

/** A service that was told its folder must not start in another one. */
async function assertFolder(cwd: string): Promise<void> {
  if (cwd === '') return
  const found = await stat(cwd).catch(() => undefined)
  if (found?.isDirectory() !== true) throw new Error(`its working folder ${cwd} is not there`)
}
