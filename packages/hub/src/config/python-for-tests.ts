import { spawnSync } from 'node:child_process'

/** Whether `python3` runs here and, with `module`, can import that. */
export function hasPython(module = 'sys'): boolean {
  const script = `import ${module}`
  return spawnSync('python3', ['-c', script], { stdio: 'ignore', timeout: 10_000 }).status === 0
}
