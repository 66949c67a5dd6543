import { createHash } from 'node:crypto'
import {
  accessSync,
  constants,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'

/**
 * The text of a file, `undefined` when there is none.
 * @param {string} path
 * @returns {string | undefined}
 */
export function readIfPresent(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/**
 * Parses a JSON file of ours; `undefined` when it is missing or damaged, which both mean "do it again".
 * @param {string} path
 * @returns {unknown}
 */
export function readJsonIfPresent(path) {
  const text = readIfPresent(path)
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * Readers see the old text or the new one, never a part.
 * @param {string} path
 * @param {string} text
 */
export function writeWhole(path, text) {
  const aside = `${path}.${process.pid}`
  writeFileSync(aside, text)
  renameSync(aside, path)
}

/** @param {string} text */
export function sha256(text) {
  return createHash('sha256').update(text).digest('hex')
}

/** @param {string} path */
export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/**
 * Whether any user may run the program: it, and every folder above it and above what it links to.
 * @param {string} path
 */
export function isOpenToOthers(path) {
  try {
    return [path, realpathSync(path)].every((place) => {
      for (let at = place; ; at = dirname(at)) {
        if ((statSync(at).mode & 0o001) === 0) return false
        if (at === dirname(at)) return true
      }
    })
  } catch {
    return false
  }
}

/**
 * Every executable of that name, in the order of PATH.
 * @param {string} name
 * @param {string} [path] a PATH, by default the process's own
 * @returns {string[]}
 */
export function listOnPath(name, path = process.env.PATH) {
  return pathDirs(path)
    .map((dir) => join(dir, name))
    .filter(isExecutable)
}

/**
 * PATH without the folders that `isUnwanted` picks; empty entries, which mean the working folder, go too.
 * @param {string | undefined} path
 * @param {(dir: string) => boolean} isUnwanted
 */
export function withoutDirs(path, isUnwanted) {
  return pathDirs(path)
    .filter((dir) => !isUnwanted(resolve(dir)))
    .join(delimiter)
}

/**
 * @param {string | undefined} path
 * @returns {string[]}
 */
export function pathDirs(path) {
  return (path ?? '').split(delimiter).filter((dir) => dir !== '')
}
