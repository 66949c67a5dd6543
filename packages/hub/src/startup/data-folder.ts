import { accessSync, chmodSync, closeSync, constants, mkdirSync, openSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ConfigError, messageOf } from '../domain/errors.ts'

/** The folder that everything stored lives in, held by one hub at a time. */
export interface DataFolder {
  readonly path: string
  /** A folder below it, made when missing, mode 0700. */
  folder(name: string): string
  release(): void
}

/**
 * What runs as another system user passes through the folder to its home; every file and other
 * folder in it is closed.
 */
const dataFolderMode = process.getuid?.() === 0 ? 0o711 : 0o700

/**
 * Makes the data folder and checks that it can be written.
 * @throws ConfigError that says what is wrong with it and what to do
 */
export function openDataFolder(path: string): Omit<DataFolder, 'release'> {
  try {
    mkdirSync(path, { recursive: true, mode: dataFolderMode })
    if (!statSync(path).isDirectory()) throw new Error('it is not a folder')
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new ConfigError(
      `The data folder ${path} cannot be written: ${messageOf(error)}. Name another one with ` +
        '--data-dir, or change its owner.',
      { cause: error },
    )
  }
  return {
    path,
    folder(name) {
      const below = join(path, name)
      mkdirSync(below, { recursive: true, mode: 0o700 })
      chmodSync(below, 0o700)
      return below
    },
  }
}

/**
 * Holds the data folder for this process. The lock is SQLite's on a file of its own: the kernel
 * lets it go when the process ends, however it ends, so a stale lock cannot exist.
 * @throws ConfigError when another hub holds it
 */
export function lockDataFolder(path: string): DataFolder {
  const opened = openDataFolder(path)
  let lock: DatabaseSync | undefined
  try {
    const lockPath = join(path, 'hub.lock')
    closeSync(openSync(lockPath, 'a', 0o600))
    lock = new DatabaseSync(lockPath, { timeout: 500 })
    lock.exec('begin exclusive')
  } catch (error) {
    lock?.close()
    if (/locked|busy/i.test(messageOf(error))) {
      throw new ConfigError(
        `Another hub is running with the data folder ${path}. Stop it first, or give this one a ` +
          'folder of its own with --data-dir.',
        { cause: error },
      )
    }
    throw new ConfigError(`The data folder ${path} cannot be locked: ${messageOf(error)}`, {
      cause: error,
    })
  }
  const held = lock
  return { ...opened, release: () => held.close() }
}
