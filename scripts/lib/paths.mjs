import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * The places the set-up uses, all inside one clone.
 * @typedef {ReturnType<typeof clonePaths>} ClonePaths
 */

/** The clone this file belongs to. */
export const cloneRoot = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

/** @param {string} root */
export function clonePaths(root) {
  const state = join(root, '.orrery')
  const venv = join(state, 'venv')
  return Object.freeze({
    root,
    /** Everything the set-up makes apart from `node_modules`. */
    state,
    lock: join(state, 'setup.lock'),
    tmp: join(state, 'tmp'),
    venv,
    venvBin: join(venv, 'bin'),
    /** Written last, removed first: a virtual environment without it is unfinished. */
    venvStamp: join(venv, '.orrery-stamp'),
    /** Remembers a Python on PATH that has everything, so that it is probed once. */
    foundPython: join(state, 'python.json'),
    requirements: join(root, 'scripts', 'python-requirements.txt'),
    packageLock: join(root, 'package-lock.json'),
    nodeModules: join(root, 'node_modules'),
    npmStamp: join(root, 'node_modules', '.orrery-stamp'),
    data: join(root, 'orrery-data'),
  })
}
