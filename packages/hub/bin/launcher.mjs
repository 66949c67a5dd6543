import module from 'node:module'
import { spawn } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { constants as osConstants } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

// Plain JavaScript for Node >= 20: it runs before a Node that knows TypeScript has been found.

/** The first Node that runs TypeScript as written without a warning. */
const minNode = [24, 12]
/** A terminal and npm both pass Ctrl-C on; within this time the same signal is the same wish. */
const sameSignalMs = 500
const forwarded = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])

const hubRoot = fileURLToPath(new URL('..', import.meta.url))
const cloneRoot = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '')

/**
 * Runs the hub's program with `args` and ends this process with its exit code, 128 + n after signal n.
 *
 * On a Node that is new enough the program is imported here. Otherwise a newer Node runs it, in a session of its
 * own, so that a Ctrl-C reaches it once, through us; it holds an IPC channel to this process, and its
 * 'disconnect' event is how it learns that this process was killed.
 * @param {readonly string[]} args
 * @returns {Promise<void>}
 */
export async function launch(args) {
  keepCompiled(cloneRoot)
  const main = join(hubRoot, 'src', 'main.ts')
  const node = findNode(cloneRoot)
  if (node === undefined || !existsSync(join(cloneRoot, 'node_modules'))) {
    process.stderr.write(explainNotReady(node))
    process.exitCode = 1
  } else if (node === process.execPath) {
    process.argv = [node, main, ...args]
    await import(pathToFileURL(main).href)
  } else {
    spawnProgram(node, [main, ...args])
  }
}

/**
 * A Node that can run the hub: this one, or the one among the npm packages. `undefined` when neither can.
 * @param {string} root of the clone
 * @returns {string | undefined}
 */
export function findNode(root) {
  if (isNewEnough(process.versions.node)) return process.execPath
  const bundled = join(
    root,
    'node_modules',
    `node-${process.platform}-${process.arch}`,
    'bin',
    'node',
  )
  return isExecutable(bundled) ? bundled : undefined
}

/** @param {string} version such as `24.12.0` */
export function isNewEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > minNode[0] || (major === minNode[0] && minor >= minNode[1])
}

/**
 * PATH with the private virtual environment first, when it was finished and nothing on PATH offers
 * `jupyterhub-singleuser` already.
 * @param {string} root of the clone
 * @param {string} path
 * @returns {string}
 */
export function withPrivatePython(root, path) {
  const venv = join(root, '.orrery', 'venv')
  const dirs = path.split(delimiter).filter((dir) => dir !== '')
  const isThere = dirs.some((dir) => isExecutable(join(dir, 'jupyterhub-singleuser')))
  if (isThere || !existsSync(join(venv, '.orrery-stamp'))) return path
  return [join(venv, 'bin'), ...dirs].join(delimiter)
}

/**
 * `npx` moves up to the folder of the nearest package; paths among the arguments are meant from below.
 * @param {string} cwd
 * @param {NodeJS.ProcessEnv} env
 * @returns {string}
 */
export function workingFolder(cwd, env) {
  const { npm_command: command, INIT_CWD: initial } = env
  return command === 'exec' && initial?.startsWith(`${cwd}/`) ? initial : cwd
}

/** `orrery` and `jupyterhub`, as the command line calls them. */
export async function runCommandLine() {
  process.env.PATH = withPrivatePython(cloneRoot, process.env.PATH ?? '')
  process.chdir(workingFolder(process.cwd(), process.env))
  await launch(process.argv.slice(2))
}

/**
 * @param {string} node
 * @param {readonly string[]} args
 */
function spawnProgram(node, args) {
  const child = spawn(node, args, {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    detached: true,
  })
  const stopForwarding = forwardSignals(child)
  child.on('error', (error) => {
    process.stderr.write(
      `Cannot run ${node}: ${error.message}\n  Install Node 24.12 or newer (https://nodejs.org) and use that.\n`,
    )
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    stopForwarding()
    process.exit(code ?? 128 + (signal === null ? 0 : osConstants.signals[signal]))
  })
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @returns {() => void} stops it
 */
function forwardSignals(child) {
  /** @type {Map<string, number>} */
  const lastAt = new Map()
  const handler = (/** @type {NodeJS.Signals} */ signal) => {
    const now = performance.now()
    if (now - (lastAt.get(signal) ?? -Infinity) < sameSignalMs) return
    lastAt.set(signal, now)
    child.kill(signal)
  }
  for (const signal of forwarded) process.on(signal, handler)
  return () => {
    for (const signal of forwarded) process.off(signal, handler)
  }
}

/** @param {string | undefined} node */
function explainNotReady(node) {
  return node === undefined && existsSync(join(cloneRoot, 'node_modules'))
    ? `Orrery needs Node 24.12 or newer; this is ${process.versions.node}, and the npm packages hold none for ${process.platform}-${process.arch}.\n  Install Node 24 (https://nodejs.org, or \`nvm install 24\`) and try again.\n`
    : `Orrery is not set up yet.\n  Run \`npm run setup\` in ${cloneRoot} first.\n`
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/**
 * Keeps what Node compiles inside the clone, for this process and for those it starts: a start then
 * takes two thirds of the time. A clone that cannot be written does without.
 * @param {string} root
 */
function keepCompiled(root) {
  process.env.NODE_COMPILE_CACHE ??= join(root, '.orrery', 'compile-cache')
  module.enableCompileCache?.(process.env.NODE_COMPILE_CACHE)
}
