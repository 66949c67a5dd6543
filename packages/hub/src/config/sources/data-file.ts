import { readFile } from 'node:fs/promises'
import { LineCounter, parseDocument } from 'yaml'
import type { Assignment } from '../assignment.ts'
import { isPlainObject } from '../codec.ts'
import { ConfigProblemsError } from '../problems.ts'
import { messageOf } from '../../domain/errors.ts'
import { toAssignments } from './sections.ts'

/** Largest configuration file that is read. */
const maxBytes = 16 * 1024 * 1024

/** Reads a JSON file; a `version` of 1 beside the classes is what traitlets writes. */
export async function loadJson(file: string): Promise<readonly Assignment[]> {
  const content = await readText(file)
  try {
    return toAssignments(withoutVersion(JSON.parse(content), file), file)
  } catch (error) {
    if (error instanceof SyntaxError) return fail(file, `is not JSON: ${error.message}.`, error)
    throw error
  }
}

/** Reads a YAML 1.2 file. */
export async function loadYaml(file: string): Promise<readonly Assignment[]> {
  const lineCounter = new LineCounter()
  const document = parseDocument(await readText(file), { lineCounter })
  const [first] = document.errors
  if (first !== undefined) return fail(file, `is not YAML: ${first.message}`, first)
  return toAssignments(withoutVersion(toPlain(document, file), file), file)
}

/** The yaml package throws where aliases would multiply the document, or name nothing. */
function toPlain(document: ReturnType<typeof parseDocument>, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    return fail(file, `is not YAML: ${messageOf(error)}.`, error)
  }
}

async function readText(file: string): Promise<string> {
  try {
    const bytes = await readFile(file)
    if (bytes.length > maxBytes) return fail(file, 'is larger than 16 MiB.')
    return bytes.toString('utf8').replace(/^\uFEFF/, '')
  } catch (error) {
    if (error instanceof ConfigProblemsError) throw error
    return fail(file, `cannot be read: ${messageOf(error)}.`, error)
  }
}

function withoutVersion(document: unknown, file: string): unknown {
  if (!isPlainObject(document) || !('version' in document)) return document
  const { version, ...sections } = document
  if (version !== 1) fail(file, "'version' of the file must be 1.")
  return sections
}

function fail(file: string, message: string, cause?: unknown): never {
  throw new ConfigProblemsError([{ source: file, message }], { cause })
}
