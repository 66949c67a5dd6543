import { writeFileSync } from 'node:fs'
import { arch, cpus, platform, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import type { Bench } from './bench.ts'
import { LoadClient } from './load-client.ts'
import { fileLimit, findProgram, pinProcesses, versionOf } from './processes.ts'
import * as proxies from './proxies.ts'
import { measureAbandoned } from './rows/abandoned-websockets.ts'
import { measureCommitToRequest } from './rows/commit-to-request.ts'
import { measureIdle } from './rows/idle-websockets.ts'
import { measureBodies } from './rows/proxy-bodies.ts'
import { measureRequests } from './rows/proxy-requests.ts'
import { measureRouteChanges } from './rows/route-changes.ts'
import { measureRouteCrowds } from './rows/route-crowds.ts'
import { measureRoutes } from './rows/route-table.ts'
import { measureMessages } from './rows/websockets.ts'
import { type Table, tableText } from './table.ts'

const measures = {
  P9: [measureRequests],
  P10: [measureBodies],
  P11: [measureMessages],
  P12: [measureIdle, measureAbandoned],
  P13: [measureRoutes, measureRouteChanges, measureCommitToRequest, measureRouteCrowds],
} satisfies Record<string, ((bench: Bench) => Promise<Table[]>)[]>

/** The longest that a run may take, whatever the proxies do. */
const limitMinutes = 30

export const usage = `Usage: npm run bench -- edge [ROW ...] [--rounds N] [--seconds S] [--pin] [--json FILE]

Measures the edge beside other proxies: rows ${Object.keys(measures).join(', ')} of the goals, all without any.
  --rounds N    interleaved rounds (5)
  --seconds S   of each measurement at a constant rate; at full load at least 1 (1)
  --pin         proxies on one core, clients and targets on another
  --json FILE   all samples
`

interface Options {
  readonly rows: readonly (keyof typeof measures)[]
  readonly rounds: number
  readonly seconds: number
  readonly isPinned: boolean
  readonly jsonFile: string | undefined
}

/**
 * Measures Orrery's edge beside other proxies: same machine, same client, same target, interleaved
 * rounds. CPU time of the processes that serve; latency at a constant rate.
 */
export async function runEdgeBench(args: readonly string[]): Promise<void> {
  const options = parseOptions(args)
  const tooLong = setTimeout(() => {
    print(`\nEnded after ${limitMinutes} minutes.\n`)
    process.exit(1)
  }, limitMinutes * 60_000)
  const beganAt = performance.now()
  if (options.isPinned) notePinning()
  const settings = describeSettings(options)
  print(settings)
  const tables: Table[] = []
  const client = LoadClient.start()
  try {
    const { rounds, seconds } = options
    const bench: Bench = {
      client,
      rounds,
      seconds,
      fileLimit: fileLimit(),
      note: (text) => print(`\n${text}\n`),
    }
    for (const row of options.rows) tables.push(...(await measureRow(bench, row)))
  } finally {
    await client.stop()
    clearTimeout(tooLong)
  }
  const minutes = (performance.now() - beganAt) / 60_000
  print(`\n${summary(tables)} in ${minutes.toFixed(1)} minutes.\n`)
  if (options.jsonFile !== undefined)
    writeFileSync(options.jsonFile, `${JSON.stringify({ settings, minutes, tables }, null, 2)}\n`)
}

/** A row that cannot be measured is said to be so; the others are measured all the same. */
async function measureRow(bench: Bench, row: keyof typeof measures): Promise<Table[]> {
  const tables: Table[] = []
  for (const measure of measures[row]) {
    try {
      const measured = await measure(bench)
      for (const table of measured) print(tableText(table))
      tables.push(...measured)
    } catch (error) {
      print(`\n${row} could not be measured: ${String(error)}\n`)
      process.exitCode = 1
    }
  }
  return tables
}

function parseOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '1' },
      pin: { type: 'boolean', default: false },
      json: { type: 'string' },
    },
  })
  const isRow = (name: string): name is keyof typeof measures => Object.hasOwn(measures, name)
  const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)]
  if (!positionals.every(isRow) || !(rounds >= 1) || !(seconds > 0)) throw new Error(usage)
  return {
    rows: positionals.length === 0 ? Object.keys(measures).filter(isRow) : positionals,
    rounds,
    seconds,
    isPinned: values.pin,
    jsonFile: values.json,
  }
}

function notePinning(): void {
  const reason = pinProcesses()
  if (reason !== undefined) print(`Not pinned: ${reason}.\n`)
}

function describeSettings({ rounds, seconds, isPinned }: Options): string {
  const wrk = findProgram('wrk')
  const all = cpus()
  const machine = `${all.length} x ${all[0]?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GB, ${platform()} ${arch()}`
  const lines = [
    `${rounds} interleaved rounds of ${seconds} s, lowest to highest. A goal is met when the worst round meets it.`,
    'Latency at a constant rate, from when a request was due, by a client of its own process.',
    `Figures belong to this machine: ${machine}; what counts are ratios.`,
    isPinned ? 'Proxies on core 0, clients and targets on core 1.' : 'Nothing is pinned to a core.',
    wrk === undefined ? 'wrk is not on the PATH.' : `wrk ${versionOf(wrk, '-v')}`,
    ...proxies.kinds.map((kind) => `${kind.name}: ${kind.missing ?? kind.settings}`),
  ]
  return `${lines.map((line) => `- ${line}`).join('\n')}\n`
}

function summary(tables: readonly Table[]): string {
  const goals = tables.flatMap((table) => table.goals)
  return `${goals.filter(({ isMet }) => isMet).length} of ${goals.length} goals met`
}

function print(text: string): void {
  process.stdout.write(text)
}
