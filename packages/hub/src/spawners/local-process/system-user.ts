import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { SpawnRefused } from '../../plugin-api/spawner.ts'
import { hasErrno } from '../../util/errno.ts'

/** One line of passwd(5). */
export interface SystemUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
  readonly shell: string
}

const execFileAsync = promisify(execFile)

/**
 * The system user of exactly this name, as the system's name services know it.
 * `/etc/passwd` is read where there is no `getent`.
 */
export async function findSystemUser(
  name: string,
  signal?: AbortSignal,
): Promise<SystemUser | undefined> {
  if (!/^[^\s:/,-][^\s:/,]{0,255}$/u.test(name) || name.includes('\0')) return undefined
  const text = await loadPasswd(name, signal)
  // getent takes a number for a uid, so the name is compared again.
  return text
    .split('\n')
    .map(parsePasswdLine)
    .find((user) => user?.name === name)
}

/** Like {@link findSystemUser}; refuses the start when there is none or the hub may not become it. */
export async function getRunnableUser(name: string, signal?: AbortSignal): Promise<SystemUser> {
  const user = await findSystemUser(name, signal)
  if (user === undefined) {
    throw new SpawnRefused(
      `There is no system user named "${name}" on this machine. An administrator can create it ` +
        `(useradd --create-home), or choose the "simple" spawner, which needs no system users.`,
      { reason: 'no_system_user' },
    )
  }
  if (process.getuid?.() !== 0 && process.getuid?.() !== user.uid) {
    throw new SpawnRefused(
      `The hub does not run as root and cannot start a server as the system user "${name}". An ` +
        `administrator can run the hub as root, or choose the "simple" spawner, which runs every ` +
        `server as the hub's own user.`,
      { reason: 'not_root' },
    )
  }
  return user
}

async function loadPasswd(name: string, signal?: AbortSignal): Promise<string> {
  try {
    const answer = await execFileAsync('getent', ['passwd', '--', name], {
      timeout: 10_000,
      maxBuffer: 65_536,
      ...(signal === undefined ? {} : { signal }),
    })
    return answer.stdout
  } catch (error) {
    // Source: getent(1): exit status 2 when the key was not found.
    if (error instanceof Error && 'code' in error && error.code === 2) return ''
    if (hasErrno(error, 'ENOENT')) return await readFile('/etc/passwd', 'utf8')
    throw new Error(`cannot look up the system user "${name}"`, { cause: error })
  }
}

function parsePasswdLine(line: string): SystemUser | undefined {
  const [name, , uid, gid, , home, shell] = line.split(':')
  if (name === undefined || home === undefined || !/^[0-9]+$/.test(`${uid}`)) return undefined
  if (!/^[0-9]+$/.test(`${gid}`)) return undefined
  return { name, uid: Number(uid), gid: Number(gid), home, shell: shell?.trim() || '/bin/sh' }
}
