import type { Assignment } from '../assignment.ts'
import { describeKind, isPlainObject } from '../codec.ts'
import { Edits } from '../edits.ts'
import { type ConfigProblem, ConfigProblemsError } from '../problems.ts'

/**
 * `{JupyterHub: {port: 9000}}` as assignments from `file`.
 * @throws ConfigProblemsError when it is no object of objects
 */
export function toAssignments(document: unknown, file: string): readonly Assignment[] {
  if (document === null || document === undefined) return []
  if (!isPlainObject(document)) {
    throw new ConfigProblemsError([
      {
        source: file,
        message: `expected an object of classes, got ${describeKind(document)}.`,
        remedy: 'For example: {"JupyterHub": {"port": 9000}}.',
      },
    ])
  }
  const problems: ConfigProblem[] = []
  const assignments = Object.entries(document).flatMap(([section, options]) => {
    if (isPlainObject(options)) {
      return Object.entries(options)
        .filter(([, value]) => !isUntouched(value))
        .map(([name, value]): Assignment => {
          return { section, name, value, origin: { kind: 'file', file } }
        })
    }
    problems.push({
      source: file,
      option: section,
      message: `expected an object of options, got ${describeKind(options)}.`,
    })
    return []
  })
  if (problems.length > 0) throw new ConfigProblemsError(problems)
  return assignments
}

/** An option that the file only looked at. */
function isUntouched(value: unknown): boolean {
  return value instanceof Edits && value.list.length === 0
}
