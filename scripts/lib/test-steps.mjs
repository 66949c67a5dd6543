import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readJsonIfPresent } from './files.mjs'
import { noTests, tapTotals, vitestTotals } from './totals.mjs'

/** @typedef {import('./tool.mjs').ToolResult} ToolResult */
/** @typedef {import('./totals.mjs').Totals} Totals */

/**
 * One step of `npm test`. `args` run on Node 24, or as the program of that name among the npm packages.
 * @typedef {{
 *   name: string,
 *   isQuick: boolean,
 *   command: string,
 *   args: readonly string[],
 *   env?: NodeJS.ProcessEnv,
 *   deadlineMs: number,
 *   totals: (result: ToolResult) => Totals,
 * }} TestStep
 */

const minuteMs = 60_000

/**
 * The steps in order, the quick ones first.
 * @param {{ root: string, reports: string, isQuick: boolean }} options
 * @returns {TestStep[]}
 */
export function testSteps({ root, reports, isQuick }) {
  const generate = 'packages/hub/src/generate/main.ts'
  const steps = [
    checkStep('types', 'tsc', ['--noEmit', '-p', 'tsconfig.json']),
    checkStep('lint', 'oxlint', ['--type-aware', '--deny-warnings']),
    checkStep('format', 'biome', ['format', '.']),
    ...(existsSync(join(root, generate))
      ? [checkStep('generated files', 'node', [generate, '--check'])]
      : []),
    // The client runs in browsers too: it must not take anything from Node.
    checkStep('client types', 'tsc', ['--noEmit', '-p', 'packages/client/tsconfig.json']),
    scriptStep(root),
    isQuick
      ? vitestStep('unit', reports, { isQuick: true, args: ['--exclude', 'test/**'] })
      : vitestStep('unit and integration', reports, { isQuick: false, args: [] }),
    vitestStep('client', reports, {
      isQuick: true,
      root: 'packages/client',
      args: isQuick ? ['--exclude', 'test/**'] : [],
    }),
    vitestStep('browser', reports, { isQuick: false, args: ['--config', 'vitest.e2e.config.ts'] }),
    conformanceStep(reports),
  ]
  return steps.filter((step) => !isQuick || step.isQuick)
}

/**
 * A step without tests of its own: it counts when it fails.
 * @param {string} name
 * @param {string} command
 * @param {readonly string[]} args
 * @returns {TestStep}
 */
function checkStep(name, command, args) {
  return {
    name,
    isQuick: true,
    command,
    args,
    deadlineMs: 10 * minuteMs,
    totals: ({ code }) => ({ ...noTests(), failed: code === 0 ? 0 : 1 }),
  }
}

/**
 * @param {string} root
 * @returns {TestStep}
 */
function scriptStep(root) {
  return {
    name: 'scripts',
    isQuick: true,
    command: 'node',
    args: [
      '--test',
      '--test-reporter=tap',
      join(root, 'scripts/**/*.test.mjs'),
      join(root, 'conformance/src/**/*.test.ts'),
    ],
    deadlineMs: 5 * minuteMs,
    totals: ({ code, output }) => tapTotals(output, code),
  }
}

/**
 * Compares with the reference hub, which it installs first. Without a network it skips.
 * @param {string} reports folder
 * @returns {TestStep}
 */
function conformanceStep(reports) {
  const report = join(reports, 'conformance.json')
  rmSync(report, { force: true })
  return {
    name: 'conformance',
    isQuick: false,
    command: 'node',
    args: ['conformance/src/main.ts', `--totals=${report}`],
    deadlineMs: 20 * minuteMs,
    totals: ({ code }) => vitestTotals(readJsonIfPresent(report), code),
  }
}

/**
 * @param {string} name
 * @param {string} reports folder
 * @param {{ isQuick: boolean, args: readonly string[], root?: string }} options
 * @returns {TestStep}
 */
function vitestStep(name, reports, { isQuick, args, root = 'packages/hub' }) {
  const report = join(reports, `${name.replaceAll(' ', '-')}.json`)
  const reporter = fileURLToPath(new URL('vitest-reporter.mjs', import.meta.url))
  rmSync(report, { force: true })
  return {
    name,
    isQuick,
    command: 'vitest',
    args: ['run', '--root', root, '--reporter=default', `--reporter=${reporter}`, ...args],
    env: { ORRERY_TEST_REPORT: report },
    deadlineMs: 40 * minuteMs,
    totals: ({ code }) => vitestTotals(readJsonIfPresent(report), code),
  }
}
