import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { readArguments } from './arguments.ts'
import { allScenarios } from './cases/index.ts'
import { closeConnections } from './http-client.ts'
import { type Hub, joinHub, startHub, writeHubFolder } from './hubs/hub.ts'
import type { Scenario, Setup } from './model.ts'
import { paths } from './paths.ts'
import { compareRuns, formatProblems, listWrongCases, type Report } from './report.ts'
import { type Run, runScenarios } from './runner.ts'
import { type PassResult, runSchemathesis } from './schemathesis.ts'
import { summarise, type Summary } from './summary.ts'

const args = readArguments(process.argv.slice(2))
const hubs = new Set<Hub>()
/** Of conformance/setup.mjs: no network, no Python. */
const outOfReach = 75

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => void stopAll().then(() => process.exit(130)))
}
try {
  process.exitCode = await run()
} catch (error) {
  say(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
} finally {
  await stopAll()
  closeConnections()
}

async function run(): Promise<number> {
  const code = await runSetup()
  if (code === outOfReach && args.totals !== undefined) return skip()
  if (code !== 0) return 1
  if (args.writeConfig !== undefined) return writeConfig(args.writeConfig)
  const reports = args.isSchemathesis ? [] : await compareAll()
  const isEverything = args.only === '' && !args.isReferenceOnly && args.url === undefined
  const passes = args.isSchemathesis || isEverything ? await tryDocument() : []
  const summary = summarise({ reports, passes, isEverything: isEverything && !args.isSchemathesis })
  for (const line of summary.lines) say(line)
  write(summary)
  return summary.failed === 0 ? 0 : 1
}

async function compareAll(): Promise<Report[]> {
  const reports: Report[] = []
  for (const setup of ['main', 'variant'] as const) {
    const scenarios = choose(setup)
    if (scenarios.length > 0) reports.push(await compareOn(setup, scenarios))
  }
  if (reports.length === 0) throw new Error(`No scenario is called ${args.only}`)
  return reports
}

function choose(setup: Setup): Scenario[] {
  if (args.url !== undefined && setup !== args.setup) return []
  return allScenarios.filter((entry) => entry.setup === setup && entry.name.includes(args.only))
}

async function compareOn(setup: Setup, scenarios: readonly Scenario[]): Promise<Report> {
  const hubsToStart = [
    () => startHub('reference', setup),
    ...(args.isReferenceOnly ? [] : [() => startOther(setup)]),
  ]
  const runs = await Promise.all(hubsToStart.map((start) => runOn(start, scenarios)))
  const [reference = new Map(), other] = runs
  const report =
    other === undefined
      ? { comparisons: [], wrongCases: listWrongCases(scenarios, reference) }
      : compareRuns(scenarios, reference, other)
  for (const line of formatProblems(report)) say(line)
  return report
}

async function startOther(setup: Setup): Promise<Hub> {
  return args.url === undefined
    ? startHub('orrery', setup)
    : joinHub(args.url, resolve(args.folder), setup)
}

async function runOn(start: () => Promise<Hub>, scenarios: readonly Scenario[]): Promise<Run> {
  return withHub(start, async (hub) => {
    const startedAt = performance.now()
    const results = await runScenarios(hub, scenarios)
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    say(`  ${hub.kind} (${hub.setup}): ${scenarios.length} scenarios in ${seconds} s`)
    return results
  })
}

function tryDocument(): Promise<PassResult[]> {
  return withHub(
    () => startHub('orrery', 'main'),
    (hub) => runSchemathesis(hub),
  )
}

async function withHub<T>(start: () => Promise<Hub>, work: (hub: Hub) => Promise<T>): Promise<T> {
  const hub = await start()
  hubs.add(hub)
  try {
    return await work(hub)
  } finally {
    const logs = process.env['CONFORMANCE_LOGS']
    if (logs !== undefined) writeFileSync(join(logs, `${hub.kind}-${hub.setup}.log`), hub.log())
    await hub.stop()
    hubs.delete(hub)
  }
}

async function writeConfig(folder: string): Promise<number> {
  const url = await writeHubFolder(resolve(folder), args.setup)
  say(`Start the hub in ${folder}, then: npm run conformance -- --url=${url} --folder=${folder}`)
  return 0
}

function skip(): number {
  const reason = 'the reference hub cannot be installed here'
  write({ passed: 0, failed: 0, skippedTests: [{ name: 'conformance', reason }], lines: [] })
  return 0
}

function write(summary: Summary): void {
  const { passed, failed, skippedTests } = summary
  if (args.json !== undefined)
    writeFileSync(args.json, JSON.stringify(summary.details, undefined, 2))
  if (args.totals === undefined) return
  const totals = { passed, failed, skipped: skippedTests.length, skippedTests }
  writeFileSync(args.totals, JSON.stringify(totals))
}

/** Installs what is missing; it says itself what went wrong. */
function runSetup(): Promise<number> {
  return new Promise((done) => {
    const child = spawn(process.execPath, [paths.setup], { stdio: 'inherit' })
    child.on('error', () => done(127))
    child.on('exit', (code) => done(code ?? 128))
  })
}

async function stopAll(): Promise<void> {
  await Promise.all([...hubs].map((hub) => hub.stop()))
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
