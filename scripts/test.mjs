import { mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { findEngines } from './lib/engines.mjs'
import { ensureSetup } from './lib/ensure-setup.mjs'
import { lastLines, reportFailure } from './lib/failure.mjs'
import { clonePaths, cloneRoot } from './lib/paths.mjs'
import { step } from './lib/progress.mjs'
import { testSteps } from './lib/test-steps.mjs'
import { endToolsOnSignal, runTool } from './lib/tool.mjs'
import { addTotals, noTests, skipReasons, totalsLine } from './lib/totals.mjs'

// `npm test`: the set-up, then everything. `npm run check` (`--quick`): what needs no engine and takes seconds.
// `--only=NAME` runs the steps whose name holds NAME.

const paths = clonePaths(cloneRoot)
const reports = join(paths.state, 'test')
const args = process.argv.slice(2)
const only = args.find((arg) => arg.startsWith('--only='))?.slice('--only='.length) ?? ''

let totals = { ...noTests(), failed: 1 }
try {
  totals = await runAll()
} catch (error) {
  reportFailure(error)
}
for (const line of skipReasons(totals.skippedTests)) process.stdout.write(`  ${line}\n`)
process.stdout.write(`${totalsLine(totals)}\n`)
process.exitCode = totals.failed === 0 ? 0 : 1

async function runAll() {
  const setup = await ensureSetup(paths)
  endToolsOnSignal(() => {})
  mkdirSync(reports, { recursive: true })
  const engines = findEngines(process.env)
  const env = { ...process.env, ...engines, PATH: testPath(setup) }
  const steps = testSteps({ root: paths.root, reports, isQuick: args.includes('--quick') })
  const chosen = steps.filter(({ name }) => name.includes(only))
  if (chosen.length === 0) throw new Error(`No step is called ${only}`)
  const results = []
  for (const chosenStep of chosen) results.push(await runStep(chosenStep, env))
  return addTotals(results)
}

/**
 * @param {import('./lib/test-steps.mjs').TestStep} testStep
 * @param {NodeJS.ProcessEnv} env
 */
async function runStep(testStep, env) {
  const { result, totals } = await step(testStep.name, () => runAndCount(testStep, env), {
    summary: ({ totals }) => describe(totals),
  })
  const log = join(reports, `${testStep.name.replaceAll(' ', '-')}.log`)
  writeFileSync(log, result.output)
  if (totals.failed > 0) {
    process.stdout.write(`${lastLines(result.output, 300)}\n  all of it: ${log}\n`)
  }
  return totals
}

/**
 * @param {import('./lib/test-steps.mjs').TestStep} testStep
 * @param {NodeJS.ProcessEnv} env
 */
async function runAndCount(testStep, env) {
  const result = await runTool(testStep.command, testStep.args, {
    cwd: paths.root,
    // Logs are read as plain text.
    env: { ...env, ...testStep.env, NO_COLOR: '1', FORCE_COLOR: undefined },
    deadlineMs: testStep.deadlineMs,
  })
  return { result, totals: testStep.totals(result) }
}

/** @param {import('./lib/totals.mjs').Totals} totals */
function describe(totals) {
  const { passed, failed, skipped } = totals
  if (passed + skipped === 0) return failed === 0 ? 'ok' : 'FAILED'
  return `${failed === 0 ? 'ok' : 'FAILED'}: ${totalsLine(totals)}`
}

/**
 * Node 24 first, then the packages' programs, then the private Python.
 * @param {Awaited<ReturnType<typeof ensureSetup>>} setup
 */
function testPath({ node, python }) {
  const venv = python.kind === 'venv' ? [paths.venvBin] : []
  const dirs = [dirname(node), join(paths.nodeModules, '.bin'), ...venv, process.env.PATH ?? '']
  return dirs.join(delimiter)
}
