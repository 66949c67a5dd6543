import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { explainFailure, reportFailure, SetupError } from '../scripts/lib/failure.mjs'
import { readIfPresent, sha256, withoutDirs, writeWhole } from '../scripts/lib/files.mjs'
import { takeLock } from '../scripts/lib/lock.mjs'
import { cloneRoot } from '../scripts/lib/paths.mjs'
import { step } from '../scripts/lib/progress.mjs'
import { isVenvCurrent, prepareVenv } from '../scripts/lib/python-env.mjs'
import { endToolsOnSignal, runTool } from '../scripts/lib/tool.mjs'

// Installs what the conformance suite needs besides the clone's own packages: the reference hub, the tool that
// tries the OpenAPI document, and the reference's proxy. All of it goes to .orrery/conformance. A second run does
// what the first left undone; a complete set-up is seen by two stamps and starts no process.

const npmDeadlineMs = 5 * 60_000
/** EX_TEMPFAIL of sysexits(3). */
const outOfReach = 75
const lockDeadlineMs = 30 * 60_000

const here = join(cloneRoot, 'conformance', 'reference')
const state = join(cloneRoot, '.orrery', 'conformance')
const venv = join(state, 'venv')
const python = {
  state,
  tmp: join(state, 'tmp'),
  venv,
  venvBin: join(venv, 'bin'),
  venvStamp: join(venv, '.orrery-stamp'),
  requirements: join(here, 'requirements.txt'),
}
const npm = join(state, 'npm')
const npmStamp = join(npm, '.orrery-stamp')
const manifests = ['package.json', 'package-lock.json']

try {
  if (!isComplete()) await install()
} catch (error) {
  reportFailure(error)
  process.exitCode = isOutOfReach(error) ? outOfReach : 1
}

/**
 * The machine lacks a network or a Python: nothing that the clone could put right.
 * @param {unknown} error
 */
function isOutOfReach(error) {
  const signs = /cannot be reached|refused access|is not trusted|Python|npm is not on PATH/
  return error instanceof SetupError && signs.test(error.message)
}

function isComplete() {
  return isVenvCurrent(python) && readIfPresent(npmStamp) === wantedNpmStamp()
}

async function install() {
  mkdirSync(state, { recursive: true })
  const lock = await takeLock(join(state, 'setup.lock'), {
    deadlineMs: lockDeadlineMs,
    onWait: (pid) => process.stdout.write(`  waiting for the set-up of process ${pid}\n`),
  })
  const stopListening = endToolsOnSignal(lock.release)
  try {
    if (readIfPresent(npmStamp) !== wantedNpmStamp()) await installProxy(lock.addProcess)
    if (!isVenvCurrent(python)) await prepareVenv(python, lock.addProcess)
  } finally {
    stopListening()
    lock.release()
  }
}

/** @param {(pid: number) => void} onStart */
async function installProxy(onStart) {
  rmSync(npm, { recursive: true, force: true })
  mkdirSync(npm, { recursive: true })
  for (const file of manifests) cpSync(join(here, file), join(npm, file))
  cpSync(join(cloneRoot, '.npmrc'), join(npm, '.npmrc'))
  await step("the reference's proxy: npm ci", async () => {
    const own = join(cloneRoot, 'node_modules')
    const env = {
      ...process.env,
      PATH: withoutDirs(process.env.PATH, (dir) => dir.startsWith(own)),
    }
    const args = ['ci', '--ignore-scripts', '--no-progress']
    const result = await runTool('npm', args, { cwd: npm, env, deadlineMs: npmDeadlineMs, onStart })
    if (result.code !== 0) throw explainFailure('npm packages', result.output)
  })
  writeWhole(npmStamp, wantedNpmStamp())
}

function wantedNpmStamp() {
  return sha256(manifests.map((file) => readIfPresent(join(here, file)) ?? '').join('\n'))
}
