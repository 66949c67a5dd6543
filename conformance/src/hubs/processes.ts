import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

const maxOutput = 200_000

/** A process of the suite, with what it printed. */
export class Started {
  readonly child: ChildProcess
  output = ''

  constructor(command: string, args: readonly string[], options: StartOptions) {
    this.child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output = (this.output + text).slice(-maxOutput)
      })
    }
    this.child.on('error', (error) => {
      this.output += error.message
    })
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  /** Asks the process to end, and makes it after 15 seconds. */
  async stop(): Promise<void> {
    if (this.hasEnded) return
    const ended = new Promise<void>((resolve) => this.child.once('exit', () => resolve()))
    this.child.kill('SIGTERM')
    await Promise.race([ended, delay(15_000, undefined, { ref: false })])
    if (!this.hasEnded) this.child.kill('SIGKILL')
  }
}

export interface StartOptions {
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
}

/** Ends every process that has the folder in its environment or command line: what a hub left. */
export function endProcessesOf(folder: string): void {
  for (const name of listPids()) {
    const pid = Number(name)
    if (pid === process.pid || !mentions(pid, folder)) continue
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has just ended.
    }
  }
}

function listPids(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  } catch {
    return []
  }
}

function mentions(pid: number, folder: string): boolean {
  return ['cmdline', 'environ'].some((file) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, 'latin1').includes(folder)
    } catch {
      return false
    }
  })
}
