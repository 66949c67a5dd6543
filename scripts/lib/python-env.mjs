import { existsSync, mkdirSync, realpathSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  isExecutable,
  isOpenToOthers,
  listOnPath,
  readIfPresent,
  readJsonIfPresent,
  sha256,
  writeWhole,
} from './files.mjs'
import { explainFailure, SetupError } from './failure.mjs'
import { step } from './progress.mjs'
import { runTool } from './tool.mjs'

const probeDeadlineMs = 60_000
const venvDeadlineMs = 5 * 60_000
const pipDeadlineMs = 30 * 60_000
/** Of the `jupyterhub` package: the contract that the hub follows is that of 6.0. */
const minSingleUserMajor = 6
/** Newest first after the plain name, which is what the person chose. */
const pythonNames = [
  'python3',
  'python3.14',
  'python3.13',
  'python3.12',
  'python3.11',
  'python3.10',
]

/** @typedef {import('./paths.mjs').ClonePaths} ClonePaths */
/** @typedef {{ kind: 'venv' } | { kind: 'found', dir: string }} PythonChoice */

/**
 * The Python set-up of an earlier run, when it still holds; `undefined` otherwise. Starts no process.
 * @param {ClonePaths} paths
 * @returns {PythonChoice | undefined}
 */
export function currentPython(paths) {
  if (isVenvCurrent(paths)) return { kind: 'venv' }
  const found = /** @type {{ dir?: unknown, key?: unknown } | undefined} */ (
    readJsonIfPresent(paths.foundPython)
  )
  if (typeof found?.dir !== 'string' || found.key !== foundKey(found.dir)) return undefined
  return listOnPath('jupyterhub-singleuser').some((file) => dirname(file) === found.dir)
    ? { kind: 'found', dir: found.dir }
    : undefined
}

/**
 * Takes a Python on PATH that has everything, or else makes the private virtual environment.
 * @param {ClonePaths} paths
 * @param {(pid: number) => void} onStart
 * @returns {Promise<PythonChoice>}
 */
export async function preparePython(paths, onStart) {
  const dir = await findPreparedPython(paths)
  if (dir !== undefined) {
    writeWhole(paths.foundPython, JSON.stringify({ dir, key: foundKey(dir) }))
    process.stdout.write(`  Python packages ... found in ${dir}\n`)
    return { kind: 'found', dir }
  }
  await prepareVenv(paths, onStart)
  return { kind: 'venv' }
}

/**
 * The places of one virtual environment.
 * @typedef {Pick<ClonePaths, 'state' | 'tmp' | 'venv' | 'venvBin' | 'venvStamp' | 'requirements'>} VenvPaths
 */

/**
 * Makes the virtual environment, or brings it up to date with its requirements.
 * @param {VenvPaths} paths
 * @param {(pid: number) => void} onStart
 */
export async function prepareVenv(paths, onStart) {
  const python = await findBasePython()
  mkdirSync(paths.tmp, { recursive: true })
  try {
    const title = `Python packages: ${pinnedNames(paths).join(', ')} for ${python.path}`
    await step(title, () => installVenv(paths, { python, onStart }))
  } finally {
    rmSync(paths.tmp, { recursive: true, force: true })
  }
}

/**
 * Whether the virtual environment is what its requirements say. Starts no process.
 * @param {VenvPaths} paths
 */
export function isVenvCurrent(paths) {
  const stamp = venvStamp(paths)
  return stamp !== undefined && readIfPresent(paths.venvStamp) === stamp
}

/**
 * @param {VenvPaths} paths
 * @param {{ python: BasePython, onStart: (pid: number) => void }} options
 */
async function installVenv(paths, { python, onStart }) {
  const env = { ...process.env, TMPDIR: paths.tmp }
  const cwd = paths.state
  // A finished environment is brought up to date in place, because running servers may be using it. One
  // without a stamp was left half-way and holds no one.
  const isFinished = existsSync(paths.venvStamp) && isAtHome(paths)
  rmSync(paths.venvStamp, { force: true })
  if (!isFinished) {
    rmSync(paths.venv, { recursive: true, force: true })
    const args = ['-m', 'venv', paths.venv]
    const made = await runTool(python.path, args, { cwd, env, deadlineMs: venvDeadlineMs, onStart })
    if (made.code !== 0) throw explainFailure('virtual environment', made.output)
  }
  const pip = [
    '-m',
    'pip',
    'install',
    '--no-cache-dir',
    '--no-input',
    '--disable-pip-version-check',
  ]
  const args = [...pip, '--progress-bar', 'off', '-r', paths.requirements]
  const venvPython = join(paths.venvBin, 'python3')
  const result = await runTool(venvPython, args, { cwd, env, deadlineMs: pipDeadlineMs, onStart })
  if (result.code !== 0) throw explainFailure('Python packages', result.output)
  writeWhole(paths.venvStamp, venvStamp(paths) ?? '')
}

/**
 * What the stamp of a virtual environment must say. Scripts in it hold absolute paths and the Python they were
 * made with, so that a moved clone or a new minor version asks for a new one.
 * @param {VenvPaths} paths
 */
function venvStamp(paths) {
  try {
    const python = realpathSync(join(paths.venvBin, 'python3'))
    return `${sha256(readIfPresent(paths.requirements) ?? '')}\n${home(paths, python)}\n`
  } catch {
    return undefined
  }
}

/** @param {VenvPaths} paths */
function isAtHome(paths) {
  try {
    const python = realpathSync(join(paths.venvBin, 'python3'))
    return readIfPresent(paths.venvStamp)?.split('\n')[1] === home(paths, python)
  } catch {
    return false
  }
}

/**
 * @param {VenvPaths} paths
 * @param {string} python
 */
function home(paths, python) {
  return `${paths.venv} ${python}`
}

/**
 * The folder on PATH whose `python3` has the packages and whose `jupyterhub-singleuser` comes with it.
 * @param {ClonePaths} paths
 */
async function findPreparedPython(paths) {
  const code = `import jupyterhub, jupyterlab; assert jupyterhub.version_info[0] >= ${minSingleUserMajor}`
  const dirs = listOnPath('jupyterhub-singleuser').map((file) => dirname(file))
  for (const dir of new Set(dirs)) {
    const python = join(dir, 'python3')
    if (dir.startsWith(paths.state) || !isExecutable(python) || !mayBeUsed(python)) continue
    const { code: exitCode } = await runTool(python, ['-c', code], { deadlineMs: probeDeadlineMs })
    if (exitCode === 0) return dir
  }
  return undefined
}

/**
 * Changes whenever the packages there may have.
 * @param {string} dir
 */
function foundKey(dir) {
  try {
    const python = realpathSync(join(dir, 'python3'))
    return `${python} ${statSync(join(dir, 'jupyterhub-singleuser')).mtimeMs}`
  } catch {
    return undefined
  }
}

/** @typedef {{ path: string, executable: string, version: string, isNewEnough: boolean, hasVenv: boolean }} BasePython */

/** @returns {Promise<BasePython>} */
async function findBasePython() {
  /** @type {BasePython[]} */
  const seen = []
  for (const path of new Set(pythonNames.flatMap((name) => listOnPath(name)))) {
    const python = await probePython(path)
    if (python !== undefined) seen.push(python)
    if (python?.isNewEnough && python.hasVenv && mayBeUsed(python.executable)) return python
  }
  const usable = seen.find((python) => python.isNewEnough && python.hasVenv)
  if (usable === undefined) throw explainNoPython(seen)
  return usable
}

/**
 * A hub that runs as root starts servers as another user, who must be able to reach their Python.
 * @param {string} executable
 */
function mayBeUsed(executable) {
  return process.getuid?.() !== 0 || isOpenToOthers(executable)
}

/**
 * `undefined` for what cannot run, such as a version manager's stand-in for a version that is not installed.
 * @param {string} path
 * @returns {Promise<BasePython | undefined>}
 */
async function probePython(path) {
  const code = [
    'import sys, importlib.util as u',
    'has = all(u.find_spec(m) for m in ("venv", "ensurepip"))',
    'print("%d.%d" % sys.version_info[:2], int(sys.version_info >= (3, 10)), int(has))',
    'print(sys.executable)',
  ].join('\n')
  const result = await runTool(path, ['-c', code], { deadlineMs: probeDeadlineMs })
  const match = /^(\d+\.\d+) ([01]) ([01])$/m.exec(result.output)
  if (result.code !== 0 || match === null) return undefined
  const executable = result.output.slice(match.index + match[0].length).trim()
  return {
    path,
    executable,
    version: match[1] ?? '',
    isNewEnough: match[2] === '1',
    hasVenv: match[3] === '1',
  }
}

/**
 * @param {readonly BasePython[]} seen
 * @returns {SetupError}
 */
export function explainNoPython(seen) {
  const incomplete = seen.find(({ isNewEnough }) => isNewEnough)
  if (incomplete !== undefined) {
    const { path, version } = incomplete
    return new SetupError(
      `${path} cannot make virtual environments (venv or ensurepip is missing)`,
      {
        remedy: `On Debian or Ubuntu: apt-get install python${version}-venv. Then run the command again.`,
      },
    )
  }
  const old = seen[0]
  const found = old === undefined ? 'no Python' : `only Python ${old.version} (${old.path})`
  return new SetupError(`${found} was found, and Python 3.10 or newer is needed`, {
    remedy:
      'Install it (Debian or Ubuntu: apt-get install python3 python3-venv; macOS: brew install python; else https://www.python.org/downloads/) so that python3 is on PATH, then run the command again.',
  })
}

/** @param {VenvPaths} paths */
function pinnedNames(paths) {
  const lines = (readIfPresent(paths.requirements) ?? '').split('\n')
  return lines.filter((line) => /^[a-z]/.test(line)).map((line) => line.split('==')[0] ?? line)
}
