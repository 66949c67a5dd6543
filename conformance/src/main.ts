import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { readArguments } from './arguments.ts'
import { allScenarios } from './cases/index.ts'
import { closeConnections } from './http-client.ts'
import { type Hub, type HubKind, startHub } from './hubs/hub.ts'
import type { Scenario, Setup } from './model.ts'
import { paths } from './paths.ts'
import {
  compareRuns,
  formatAccepted,
  formatProblems,
  listUndocumented,
  listUnused,
  listWrongCases,
  type Report,
} from './report.ts'
import { type Run, runScenarios } from './runner.ts'

const args = readArguments(process.argv.slice(2))
const setups: readonly Setup[] = ['main', 'variant']
const hubs = new Set<Hub>()

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => void stopAll().then(() => process.exit(130)))
}
try {
  process.exitCode = await run()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
} finally {
  await stopAll()
  closeConnections()
}

async function run(): Promise<number> {
  if ((await runSetup()) !== 0) return 1
  const reports: Report[] = []
  for (const setup of setups) {
    const scenarios = choose(setup)
    if (scenarios.length > 0) reports.push(await runSetupOf(setup, scenarios))
  }
  if (reports.length === 0) throw new Error(`No scenario is called ${args.only}`)
  return summarise(reports)
}

function choose(setup: Setup): Scenario[] {
  return allScenarios.filter((entry) => entry.setup === setup && entry.name.includes(args.only))
}

async function runSetupOf(setup: Setup, scenarios: readonly Scenario[]): Promise<Report> {
  const kinds: readonly HubKind[] = args.isReferenceOnly ? ['reference'] : ['reference', 'orrery']
  const runs = await Promise.all(kinds.map((kind) => runOn(kind, setup, scenarios)))
  const [reference = new Map(), other] = runs
  const report =
    other === undefined
      ? { comparisons: [], wrongCases: listWrongCases(scenarios, reference) }
      : compareRuns(scenarios, reference, other)
  for (const line of formatProblems(report)) process.stdout.write(`${line}\n`)
  return report
}

async function runOn(kind: HubKind, setup: Setup, scenarios: readonly Scenario[]): Promise<Run> {
  const startedAt = performance.now()
  const hub = await startHub(kind, setup)
  hubs.add(hub)
  const readyAt = performance.now()
  try {
    return await runScenarios(hub, scenarios)
  } finally {
    const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
    process.stdout.write(
      `  ${kind} (${setup}): up in ${seconds(readyAt - startedAt)}, ${scenarios.length} scenarios in ${seconds(performance.now() - readyAt)}\n`,
    )
    if (process.env['CONFORMANCE_LOGS'] !== undefined) {
      writeFileSync(`${process.env['CONFORMANCE_LOGS']}/${kind}-${setup}.log`, hub.log())
    }
    await hub.stop()
    hubs.delete(hub)
  }
}

function summarise(reports: readonly Report[]): number {
  const comparisons = reports.flatMap((report) => report.comparisons)
  const wrongCases = reports.flatMap((report) => report.wrongCases)
  const isWhole = args.only === '' && !args.isReferenceOnly
  const unused = isWhole ? listUnused(reports) : []
  for (const { cases, field, reason } of unused) {
    process.stdout.write(`  ACCEPTED FOR NOTHING ${cases}, ${field}: ${reason}\n`)
  }
  for (const line of formatAccepted(comparisons)) process.stdout.write(`${line}\n`)
  const undocumented = listUndocumented(readFileSync(paths.differences, 'utf8'))
  for (const source of undocumented) {
    process.stdout.write(`  NOT WRITTEN DOWN ${source}\n`)
  }
  const equal = comparisons.filter(({ unexplained }) => unexplained.length === 0)
  const explained = equal.filter((entry) => entry.explained.length > 0)
  process.stdout.write(
    `${equal.length} of ${comparisons.length} equal (${explained.length} with accepted differences)\n`,
  )
  if (args.json !== undefined) {
    writeFileSync(args.json, JSON.stringify({ comparisons, wrongCases, unused }, undefined, 2))
  }
  const isGood =
    equal.length === comparisons.length && [...wrongCases, ...unused, ...undocumented].length === 0
  return isGood ? 0 : 1
}

/** Installs what is missing; it says itself what went wrong. */
function runSetup(): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [paths.setup], { stdio: 'inherit' })
    child.on('error', () => resolve(127))
    child.on('exit', (code) => resolve(code ?? 128))
  })
}

async function stopAll(): Promise<void> {
  await Promise.all([...hubs].map((hub) => hub.stop()))
}
