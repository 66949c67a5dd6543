import { spawn } from 'node:child_process'

/** Kept of a tool's output; the end is what explains a failure. */
const maxOutputLength = 400_000
/** Between asking a tool to end and making it. */
const killDelayMs = 5000

/** @typedef {{ code: number, output: string, timedOut: boolean }} ToolResult */

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set()

/**
 * Runs a tool to its end, collecting what it prints. A tool that cannot be started gives code 127.
 * It gets a process group of its own, so that an interruption ends it with everything it started.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, deadlineMs: number, onStart?: (pid: number) => void }} options
 * @returns {Promise<ToolResult>}
 */
export function runTool(command, args, options) {
  return new Promise((resolve) => {
    let output = ''
    let timedOut = false
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    running.add(child)
    if (child.pid !== undefined) options.onStart?.(child.pid)
    const timer = setTimeout(() => {
      timedOut = true
      endGroup(child, 'SIGKILL')
    }, options.deadlineMs)
    const collect = (/** @type {string} */ chunk) => {
      output = (output + chunk).slice(-maxOutputLength)
    }
    child.stdout.setEncoding('utf8').on('data', collect)
    child.stderr.setEncoding('utf8').on('data', collect)
    /** @param {number} code */
    const finish = (code) => {
      clearTimeout(timer)
      running.delete(child)
      const minutes = Math.round(options.deadlineMs / 60_000)
      resolve({
        code,
        output: timedOut ? `${output}\nStopped after ${minutes} minutes.` : output,
        timedOut,
      })
    }
    child.on('error', (error) => {
      collect(`${command}: ${error.message}`)
      finish(127)
    })
    // Not 'close': a process that the tool left behind may hold the pipes open for ever.
    child.on('exit', (code) => setTimeout(finish, 50, code ?? 128))
  })
}

/**
 * Ends the tools that run, lets `cleanUp` put things in order, and ends this process as the signal would have.
 * Returns the function that takes the handlers away again.
 * @param {() => void} cleanUp
 * @returns {() => void}
 */
export function endToolsOnSignal(cleanUp) {
  const signals = /** @type {const} */ ({ SIGHUP: 129, SIGINT: 130, SIGTERM: 143 })
  let ending = false
  const entries = Object.entries(signals).map(([signal, code]) => {
    const handler = () => {
      if (ending) return
      ending = true
      void endRunningTools().then(() => {
        cleanUp()
        process.stderr.write('\nInterrupted. Run the same command again to go on.\n')
        process.exit(code)
      })
    }
    process.on(signal, handler)
    return { signal, handler }
  })
  return () => {
    for (const { signal, handler } of entries) process.off(signal, handler)
  }
}

async function endRunningTools() {
  await Promise.all(
    [...running].map(
      (child) =>
        new Promise((resolve) => {
          child.once('exit', resolve)
          endGroup(child, 'SIGTERM')
          setTimeout(() => endGroup(child, 'SIGKILL'), killDelayMs).unref()
          setTimeout(resolve, 2 * killDelayMs)
        }),
    ),
  )
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {NodeJS.Signals} signal
 */
function endGroup(child, signal) {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // It ended in the meantime.
  }
}
