import { existsSync } from 'node:fs'
import { readIfPresent, readJsonIfPresent, sha256, withoutDirs, writeWhole } from './files.mjs'
import { explainFailure, SetupError } from './failure.mjs'
import { step } from './progress.mjs'
import { runTool } from './tool.mjs'

const deadlineMs = 20 * 60_000

/** @typedef {import('./paths.mjs').ClonePaths} ClonePaths */

/**
 * Whether `node_modules` is what package-lock.json says, on this kind of machine.
 * @param {ClonePaths} paths
 */
export function hasNpmPackages(paths) {
  return readIfPresent(paths.npmStamp) === wantedStamp(paths)
}

/**
 * Installs the npm packages exactly as locked. No package's install script runs: none needs to.
 * @param {ClonePaths} paths
 * @param {(pid: number) => void} onStart
 */
export async function installNpmPackages(paths, onStart) {
  if (isInstalledAsLocked(paths)) return writeWhole(paths.npmStamp, wantedStamp(paths))
  await step('npm packages: npm ci', async () => {
    const args = ['ci', '--ignore-scripts', '--include=dev', '--include=optional', '--no-progress']
    const env = { ...process.env, PATH: withoutOwnTools(paths) }
    const result = await runTool('npm', args, { cwd: paths.root, env, deadlineMs, onStart })
    if (result.code === 127 && !result.output.includes('npm error')) {
      throw new SetupError('npm is not on PATH', {
        remedy:
          'Install npm (it comes with Node from https://nodejs.org; on Debian: apt-get install npm).',
        output: result.output,
      })
    }
    if (result.code !== 0) throw explainFailure('npm packages', result.output)
    writeWhole(paths.npmStamp, wantedStamp(paths))
  })
}

/**
 * npm replaces `node_modules` and must not run on the Node inside it, which `npm run` puts first on PATH.
 * @param {ClonePaths} paths
 */
function withoutOwnTools(paths) {
  return withoutDirs(process.env.PATH, (dir) => dir.startsWith(`${paths.nodeModules}/`))
}

/** @param {ClonePaths} paths */
function wantedStamp(paths) {
  const lock = readIfPresent(paths.packageLock)
  if (lock === undefined) {
    throw new SetupError('package-lock.json is missing', { remedy: 'Restore it from git.' })
  }
  return `${sha256(lock)} ${process.platform}-${process.arch}\n`
}

/**
 * A `node_modules` that somebody installed by hand is as good. npm writes its own record of it last, so that an
 * interrupted installation has none.
 * @param {ClonePaths} paths
 */
function isInstalledAsLocked(paths) {
  const wanted = packagesOf(readJsonIfPresent(paths.packageLock))
  const present = packagesOf(readJsonIfPresent(`${paths.nodeModules}/.package-lock.json`))
  if (wanted === undefined || present === undefined) return false
  return Object.entries(wanted)
    .filter(([path]) => path.includes('node_modules/'))
    .every(([path, entry]) => {
      const found = present[path]
      if (found === undefined) return entry.optional === true && !isForThisMachine(entry)
      return (
        found.version === entry.version &&
        found.integrity === entry.integrity &&
        existsSync(`${paths.root}/${path}`)
      )
    })
}

/** @typedef {{ version?: string, integrity?: string, optional?: boolean, os?: string[], cpu?: string[], libc?: string[] }} LockEntry */

/**
 * A binary for this kind of machine. What an optional package for another machine depends on says nothing itself.
 * @param {LockEntry} entry
 */
function isForThisMachine({ os, cpu, libc }) {
  if (libc !== undefined || (os === undefined && cpu === undefined)) return false
  return (os ?? []).includes(process.platform) && (cpu ?? []).includes(process.arch)
}

/**
 * @param {unknown} lock
 * @returns {Record<string, LockEntry> | undefined}
 */
function packagesOf(lock) {
  if (typeof lock !== 'object' || lock === null || !('packages' in lock)) return undefined
  return /** @type {Record<string, LockEntry>} */ (lock.packages)
}
