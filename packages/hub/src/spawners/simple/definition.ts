import { chmod, lchown, lstat, mkdir, readdir } from 'node:fs/promises'
import { dirname, isAbsolute } from 'node:path'
import { defineSpawner, SpawnRefused } from '../../plugin-api/spawner.ts'
import { hasErrno } from '../../util/errno.ts'
import { createProcessSpawner } from '../local-process/process-spawner.ts'
import { getRunnableUser } from '../local-process/system-user.ts'
import { processStateSchema } from '../local-process/state.ts'
import type { ProcessState } from '../local-process/state.ts'
import type { SimpleOptions } from './options.ts'

/**
 * Runs every server as one system user, each with a folder of its own as home. For trying out and
 * for tests: users are not protected from each other.
 * Differs from JupyterHub: a hub that runs as root starts servers as `nobody` unless told otherwise,
 * so that nobody who signs in becomes root.
 * Source: JupyterHub 6.0, `SimpleLocalProcessSpawner`.
 */
export const simpleSpawner = defineSpawner<SimpleOptions, ProcessState>({
  id: 'simple',
  state: processStateSchema,
  create: (context) =>
    createProcessSpawner(context, {
      async getOwner({ username }, signal) {
        const home = toHomeDir(context.options.homeDirTemplate, username)
        const account = await findAccount(context.options.runAs, signal)
        await ensureHome(home, account)
        return {
          runAs: account,
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

interface Account {
  readonly uid: number
  readonly gid: number
}

/** `undefined` is the hub's own user. */
async function findAccount(configured: string, signal: AbortSignal): Promise<Account | undefined> {
  const isRoot = process.getuid?.() === 0
  const name = configured === '' && isRoot ? 'nobody' : configured
  if (name === '') return undefined
  const { uid, gid } = await getRunnableUser(name, signal)
  return uid === process.getuid?.() ? undefined : { uid, gid }
}

/** In a shared folder such as `/tmp` somebody else may have put something there first. */
async function ensureHome(home: string, account: Account | undefined): Promise<void> {
  const uid = account?.uid ?? process.getuid?.()
  await mkdir(dirname(home), { recursive: true, mode: 0o755 })
  try {
    await mkdir(home, { mode: 0o755 })
    await chmod(home, 0o755)
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error
  }
  if (account !== undefined) await handOver(home, account)
  const found = await lstat(home)
  if (!found.isDirectory() || found.uid !== uid) {
    throw new SpawnRefused(
      `The home folder ${home} exists and does not belong to the system user that servers run as. ` +
        'An administrator can remove it or change its owner.',
      { reason: 'bad_home' },
    )
  }
}

/**
 * Gives a home that has just been made to the system user that servers run as. Only an empty folder
 * of the hub's own: another start may be at this very point, or a hub was killed here.
 */
async function handOver(home: string, account: Account): Promise<void> {
  const found = await lstat(home)
  if (!found.isDirectory() || found.uid !== process.getuid?.()) return
  if ((await readdir(home)).length === 0) await lchown(home, account.uid, account.gid)
}
