import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { vi } from 'vitest'
import { cleanups, patience } from './edge-test-kit.ts'

/** Another machine as far as the network goes: a network namespace behind a pair of interfaces. */
export interface FarMachine {
  /** Of this machine, as the other one reaches it. */
  readonly address: string
  /** Runs a script of Node's there; what it prints is in `said`. */
  run(script: string, args: readonly string[]): FarProgram
  /** From now on every packet is lost, in both directions; nobody is told. */
  cut(): void
}

export interface FarProgram {
  readonly child: ChildProcess
  said(): string
}

/** Why there can be none, or `undefined`. */
export function whyNoFarMachine(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces are Linux'
  if (process.getuid?.() !== 0) return 'only root may make network namespaces'
  const name = `orrery-probe-${process.pid}`
  const { status } = spawnSync('ip', ['netns', 'add', name])
  spawnSync('ip', ['netns', 'del', name])
  return status === 0 ? undefined : 'ip cannot make network namespaces here'
}

export function openFarMachine(): FarMachine {
  const id = `${process.pid}-${randomInt(1000)}`
  const [name, near, far] = [`orrery-${id}`, `on${id}`.slice(0, 15), `of${id}`.slice(0, 15)]
  // Of the range that is kept for tests. Source: RFC 2544.
  const net = `198.18.${randomInt(256)}.${randomInt(64) * 4}`
  const at = (host: number): string => net.replace(/\d+$/, (last) => String(Number(last) + host))
  cleanups.push(() => void spawnSync('ip', ['netns', 'del', name]))
  ip('netns', 'add', name)
  ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far, 'netns', name)
  ip('addr', 'add', `${at(1)}/30`, 'dev', near)
  ip('link', 'set', near, 'up')
  ip('-n', name, 'addr', 'add', `${at(2)}/30`, 'dev', far)
  ip('-n', name, 'link', 'set', far, 'up')
  return {
    address: at(1),
    run(script, args) {
      const there = ['netns', 'exec', name, process.execPath, '-e', script, '--', ...args]
      const child = spawn('ip', there, { stdio: ['ignore', 'pipe', 'inherit'] })
      cleanups.push(() => child.kill('SIGKILL'))
      let said = ''
      child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
      return { child, said: () => said }
    },
    cut: () => ip('-n', name, 'link', 'set', far, 'down'),
  }
}

function ip(...args: readonly string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`)
}

/** Connections of this machine that a process still holds: those to one of its ports, or from others to a port. */
export function heldConnections(port: number, end: 'local' | 'remote'): number {
  const tables = ['/proc/net/tcp', '/proc/net/tcp6'].map((file) => readFileSync(file, 'latin1'))
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0')
  const listening = '0A'
  const [address, inode] = [end === 'local' ? 1 : 2, 9]
  return tables
    .flatMap((table) => table.trim().split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter((cells) => cells[address]?.endsWith(`:${hexPort}`) === true && cells[3] !== listening)
    .filter((cells) => cells[inode] !== '0').length
}

export const untilSaid = (program: FarProgram, text: string): Promise<boolean> =>
  vi.waitUntil(() => program.said().includes(text), { ...patience, timeout: 15_000 })
