import { chmod, lstat, mkdir } from 'node:fs/promises'
import { dirname, isAbsolute } from 'node:path'
import { defineSpawner, SpawnRefused } from '../../plugin-api/spawner.ts'
import { hasErrno } from '../local-process/errno.ts'
import { createProcessSpawner } from '../local-process/process-spawner.ts'
import { processStateSchema } from '../local-process/state.ts'
import type { ProcessState } from '../local-process/state.ts'
import type { SimpleOptions } from './options.ts'

/**
 * Runs every server as the hub's own system user, each with a folder of its own as home. For trying
 * out and for tests: users are not protected from each other.
 * Source: JupyterHub 6.0, `SimpleLocalProcessSpawner`.
 */
export const simpleSpawner = defineSpawner<SimpleOptions, ProcessState>({
  id: 'simple',
  state: processStateSchema,
  create: (context) =>
    createProcessSpawner(context, {
      async getOwner({ username }) {
        const home = toHomeDir(context.options.homeDirTemplate, username)
        await ensureHome(home)
        return {
          runAs: undefined,
          home,
          environment: { USER: username, HOME: home, SHELL: '/bin/bash' },
        }
      },
    }),
})

/** A name that would leave its place in the template is refused. */
export function toHomeDir(template: string, username: string): string {
  if (!isAbsolute(template))
    throw new Error(`the home folder template is not absolute: ${template}`)
  if (username === '' || username === '.' || username === '..' || /[/\0]/.test(username)) {
    throw new SpawnRefused(`The user name ${JSON.stringify(username)} cannot name a home folder.`, {
      reason: 'bad_home',
    })
  }
  return template.replaceAll('{username}', () => username)
}

/** In a shared folder such as `/tmp` somebody else may have put something there first. */
async function ensureHome(home: string): Promise<void> {
  await mkdir(dirname(home), { recursive: true, mode: 0o755 })
  try {
    await mkdir(home, { mode: 0o755 })
    await chmod(home, 0o755)
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error
  }
  const found = await lstat(home)
  if (!found.isDirectory() || found.uid !== process.getuid?.()) {
    throw new SpawnRefused(
      `The home folder ${home} exists and does not belong to the hub's user.`,
      {
        reason: 'bad_home',
      },
    )
  }
}
