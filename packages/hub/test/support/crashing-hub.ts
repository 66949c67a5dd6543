import { runProgram } from '../../src/program.ts'

/**
 * The real program, killed by itself, without any warning, at the point that `ORRERY_CRASH_AT` names:
 * what `kill -9` does at that instant.
 */
const crashAt = process.env['ORRERY_CRASH_AT'] ?? ''

await runProgram({
  argv: process.argv.slice(2),
  passed: (point) => {
    if (point === crashAt) process.kill(process.pid, 'SIGKILL')
  },
})
