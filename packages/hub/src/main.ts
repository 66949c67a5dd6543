import { runProgram } from './program.ts'

await runProgram({ argv: process.argv.slice(2) })
