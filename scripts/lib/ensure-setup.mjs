import { findNode } from '../../packages/hub/bin/launcher.mjs'
import { SetupError } from './failure.mjs'
import { takeLock } from './lock.mjs'
import { hasNpmPackages, installNpmPackages } from './npm-packages.mjs'
import { currentPython, preparePython } from './python-env.mjs'
import { endToolsOnSignal } from './tool.mjs'

/** Longer than all steps together may take. */
const lockDeadlineMs = 60 * 60_000

/** @typedef {import('./python-env.mjs').PythonChoice} PythonChoice */
/** @typedef {import('./paths.mjs').ClonePaths} ClonePaths */

/**
 * Makes the clone ready to run. When it already is, this reads a few files and starts no process. Any number of
 * these may run at once; one works, the others wait for it.
 * @param {ClonePaths} paths
 * @returns {Promise<{ python: PythonChoice, node: string, didWork: boolean }>}
 */
export async function ensureSetup(paths) {
  const ready = currentSetup(paths)
  if (ready !== undefined) return { ...ready, didWork: false }
  const lock = await takeLock(paths.lock, {
    deadlineMs: lockDeadlineMs,
    onWait: (pid) =>
      process.stdout.write(`  another set-up is under way (process ${pid}), waiting for it\n`),
  })
  const stopListening = endToolsOnSignal(lock.release)
  try {
    if (!hasNpmPackages(paths)) await installNpmPackages(paths, lock.addProcess)
    const node = getNode(paths)
    const python = currentPython(paths) ?? (await preparePython(paths, lock.addProcess))
    return { python, node, didWork: true }
  } finally {
    stopListening()
    lock.release()
  }
}

/** @param {ClonePaths} paths */
function currentSetup(paths) {
  if (!hasNpmPackages(paths)) return undefined
  const python = currentPython(paths)
  return python === undefined ? undefined : { python, node: getNode(paths) }
}

/** @param {ClonePaths} paths */
function getNode(paths) {
  const node = findNode(paths.root)
  if (node !== undefined) return node
  throw new SetupError(
    `Node ${process.versions.node} runs this, and the hub needs 24.12 or newer`,
    {
      remedy: `There is no ready-made Node for ${process.platform}-${process.arch} among the npm packages. Install Node 24 (https://nodejs.org, or \`nvm install 24\`), then run the command again.`,
    },
  )
}
