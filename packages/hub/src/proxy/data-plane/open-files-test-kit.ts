import { spawn, spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { vi } from 'vitest'
import { cleanups, patience } from './edge-test-kit.ts'

/** `prlimit` of util-linux, and `/proc`. */
export function canLimitFiles(): boolean {
  return process.platform === 'linux' && spawnSync('prlimit', ['--version']).status === 0
}

function limitNow(): number {
  return Number(/^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1])
}

/** The system gives the lowest number that is free. */
function lowestFree(): number {
  const file = openSync('/', 'r')
  closeSync(file)
  return file
}

export interface OpenFiles {
  /** From now on this process opens no file and no socket but in place of one that it closes. */
  none(): Promise<void>
  asBefore(): Promise<void>
}

/** Takes files away from this process: a helper does so, which needs none of ours for it. */
export async function openFiles(): Promise<OpenFiles> {
  const usual = limitNow()
  const script = 'while read limit; do prlimit --pid $0 --nofile=$limit: && echo $limit; done'
  const helper = spawn('sh', ['-c', script, String(process.pid)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let said = ''
  helper.stdout.on('data', (chunk: Buffer) => (said = chunk.toString().trim()))
  const set = async (limit: number): Promise<void> => {
    helper.stdin.write(`${limit}\n`)
    await vi.waitUntil(() => said === String(limit), { ...patience, interval: 5 })
  }
  cleanups.push(async () => {
    await set(usual)
    helper.kill()
  })
  return { none: () => set(lowestFree()), asBefore: () => set(usual) }
}
