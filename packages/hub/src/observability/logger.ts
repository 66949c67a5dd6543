import { Writable } from 'node:stream'
import { type Logger, pino } from 'pino'
import { writeStandardError } from '../util/standard-error.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal'

const letters: Readonly<Record<number, string>> = { 20: 'D', 30: 'I', 40: 'W', 50: 'E', 60: 'C' }
const colours: Readonly<Record<string, string>> = { D: '34', I: '32', W: '33', E: '31', C: '35' }
const ownKeys = new Set(['level', 'time', 'msg'])

/** Anything under these names is a secret wherever it stands. */
const secretPaths = ['token', 'password', 'secret', 'authorization', 'cookie', 'apiToken'].flatMap(
  (name) => [name, `*.${name}`],
)

/**
 * The program's log, on stderr: lines as JupyterHub writes them, or JSON lines with
 * `ORRERY_LOG_FORMAT=json`. Source: contract cli-metrics-events §7.
 */
export function createLogger(options: { level: LogLevel; json: boolean }): Logger {
  const { level, json } = options
  return pino(
    { level, base: null, redact: { paths: secretPaths, censor: '[secret]' } },
    lineStream(json ? String : (record) => formatLine(record, process.stderr.isTTY)),
  )
}

function lineStream(format: (record: string) => string): Writable {
  return new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      writeStandardError(format(chunk.toString()))
      done()
    },
  })
}

/** One record of pino as a line for people: `[I 2026-11-24 12:00:00.000 Orrery] message key=value`. */
export function formatLine(record: string, colour: boolean): string {
  let fields: Record<string, unknown>
  try {
    fields = JSON.parse(record) as Record<string, unknown> // pino's own output
  } catch {
    return record
  }
  const letter = letters[Number(fields['level'])] ?? 'I'
  const head = `[${letter} ${localTime(new Date(Number(fields['time'])))} Orrery]`
  const shown = colour ? `\u001B[${colours[letter] ?? '0'}m${head}\u001B[0m` : head
  const details = Object.entries(fields)
    .filter(([key, value]) => !ownKeys.has(key) && value !== undefined)
    .map(([key, value]) => ` ${key}=${formatValue(value)}`)
  const message = typeof fields['msg'] === 'string' ? fields['msg'] : ''
  return `${shown} ${message}${details.join('')}\n`
}

function formatValue(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'stack' in value) {
    return typeof value.stack === 'string' ? `\n${value.stack}` : JSON.stringify(value)
  }
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return /^[^\s"]+$/.test(text) ? text : JSON.stringify(text)
}

function localTime(at: Date): string {
  const pad = (value: number, width = 2) => String(value).padStart(width, '0')
  const date = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`
  const time = `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`
  return `${date} ${time}.${pad(at.getMilliseconds(), 3)}`
}
