import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { messageOf } from '../../domain/errors.ts'
import type { Assignment } from '../assignment.ts'
import { Unsupported } from '../codec.ts'
import { type Edit, Edits } from '../edits.ts'
import { ConfigProblemsError } from '../problems.ts'
import { fileDeadlineMs } from './script.ts'
import { toAssignments } from './sections.ts'

const shimPath = fileURLToPath(new URL('../python/shim.py', import.meta.url))
const maxResultLength = 32 * 1024 * 1024

/**
 * Runs a `jupyterhub_config.py` with `python3` and takes over what it computes. What the file prints
 * goes to stderr. The package `jupyterhub` need not be there.
 * @throws ConfigProblemsError when there is no Python, or with file and line when the file fails
 */
export async function loadPython(file: string, cwd: string): Promise<readonly Assignment[]> {
  const text = await runShim(file, cwd)
  let result: unknown
  try {
    result = JSON.parse(text)
  } catch (error) {
    return fail(file, 'Python ended without a result.', error)
  }
  if (!isRecord(result)) return fail(file, 'Python gave no result.')
  const { error, file: place, line, config } = result
  if (typeof error !== 'string') return toAssignments(decode(config), file)
  const where = typeof place === 'string' ? place : file
  return fail(typeof line === 'number' ? `${where}:${line}` : where, `${error}.`)
}

function runShim(file: string, cwd: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const child = spawn('python3', [shimPath, file], {
    cwd,
    // Result on descriptor 3, so that nothing the file prints can mix with it.
    stdio: ['ignore', process.stderr, process.stderr, 'pipe'],
    timeout: fileDeadlineMs,
    killSignal: 'SIGKILL',
  })
  let text = ''
  const results = child.stdio[3]
  if (results !== null && results !== undefined && 'setEncoding' in results) {
    results.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      if (text.length > maxResultLength) child.kill('SIGKILL')
    })
  }
  child.once('error', (error) => {
    const message = `is a Python file, and python3 cannot be run: ${messageOf(error)}.`
    const remedy = 'Install Python, or write the configuration as .yaml, .json, .js or .ts.'
    reject(new ConfigProblemsError([{ source: file, message, remedy }], { cause: error }))
  })
  child.once('close', (_code, signal) => {
    if (signal === null) return resolve(text)
    const message = `did not come to an end within ${fileDeadlineMs / 1000} s, or said too much.`
    return reject(new ConfigProblemsError([{ source: file, message }]))
  })
  return promise
}

/** Reads the shim's encoding: what JSON has no form for is tagged with `$`. */
function decode(encoded: unknown): unknown {
  if (Array.isArray(encoded)) return encoded.map(decode)
  if (!isRecord(encoded)) return encoded
  const { $: tag, v: value, c: className } = encoded
  const entries: readonly unknown[] = Array.isArray(value) ? (value as unknown[]) : []
  switch (tag) {
    case 'set':
      return new Set(entries.map(decode))
    case 'bytes':
      return Uint8Array.from(Buffer.from(toText(value), 'base64'))
    case 'dict':
      return Object.fromEntries(entries.map(toPair))
    case 'edits':
      return new Edits(entries.flatMap(toEdit))
    default:
      return new Unsupported(toText(value), typeof className === 'string' ? className : undefined)
  }
}

function toPair(entry: unknown): [string, unknown] {
  const [name, value] = Array.isArray(entry) ? (entry as unknown[]) : []
  return [toText(name), decode(value)]
}

function toEdit(entry: unknown): Edit[] {
  const [kind, list] = toPair(entry)
  const [first, second] = Array.isArray(list) ? (list as unknown[]) : []
  switch (kind) {
    case 'append':
    case 'extend':
    case 'prepend':
    case 'update':
    case 'add':
      return [{ kind, value: first }]
    case 'insert':
      return [{ kind, index: Number(first), value: second }]
    case 'setdefault':
      return [{ kind, key: toText(first), value: second }]
    default:
      return []
  }
}

function toText(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function fail(source: string, message: string, cause?: unknown): never {
  throw new ConfigProblemsError([{ source, message }], { cause })
}
