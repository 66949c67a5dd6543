import { extname } from 'node:path'
import { describeOrigin } from './assignment.ts'
import { Unsupported } from './codec.ts'
import { Edits } from './edits.ts'
import type { ConfigEntry } from './load.ts'
import { isComputed } from './option.ts'
import { optionClasses } from './options/classes.ts'

const hidden = '<secret>'

/** Every option with its value and origin; secrets are left out. */
export function formatConfig(entries: readonly ConfigEntry[], files: readonly string[]): string {
  const lines = files.length === 0 ? ['no configuration file'] : files.map((file) => `file ${file}`)
  let section = ''
  for (const entry of sorted(entries)) {
    if (entry.section !== section) {
      section = entry.section
      lines.push('', section)
    }
    const value = JSON.stringify(shownValue(entry))
    lines.push(`  .${entry.name} = ${value}    # ${describeOrigin(entry.origin)}`)
  }
  return `${lines.join('\n')}\n`
}

/** The same as JSON: `{Class: {option: {value, origin}}}`. */
export function formatConfigJson(entries: readonly ConfigEntry[]): string {
  const sections: Record<string, Record<string, unknown>> = {}
  for (const entry of sorted(entries)) {
    sections[entry.section] ??= {}
    const section = sections[entry.section] ?? {}
    section[entry.name] = { value: shownValue(entry), origin: describeOrigin(entry.origin) }
  }
  return `${JSON.stringify(sections, undefined, 1)}\n`
}

/** A commented configuration file with every option, its summary and default, by extension. */
export function formatDefaults(file: string): string {
  const extension = extname(file)
  const isScript = extension === '.ts' || extension === '.js' || extension === '.mjs'
  const comment = isScript ? '//' : '#'
  const blocks = [...optionClasses.values()].map(({ name, options }) => {
    const lines = Object.entries(options).map(([option, spec]) => {
      const summary = wrap(spec.summary, comment)
      const text = isComputed(spec.default) ? `${comment} Default: ${spec.default.describe}` : ''
      const value = isComputed(spec.default) ? undefined : spec.default
      return [summary, text, `${comment} ${setting({ name, option, value, extension })}`]
        .filter((line) => line !== '')
        .join('\n')
    })
    return `${comment} ${'-'.repeat(70)}\n${comment} ${name}\n${comment} ${'-'.repeat(70)}\n\n${lines.join('\n\n')}`
  })
  return `${head(extension)}${blocks.join('\n\n')}\n${isScript ? '}\n' : ''}`
}

function head(extension: string): string {
  switch (extension) {
    case '.ts':
    case '.js':
    case '.mjs':
      return '// Configuration of Orrery. Remove the // before what you change.\n\nexport default (c) => {\n'
    case '.yaml':
    case '.yml':
      return '# Configuration of Orrery: classes, and below them their options.\n\n'
    default:
      return '# Configuration of Orrery. Remove the # before what you change.\n\nc = get_config()\n\n'
  }
}

function setting(input: {
  name: string
  option: string
  value: unknown
  extension: string
}): string {
  const { name, option, value, extension } = input
  if (extension === '.yaml' || extension === '.yml') {
    return `${name}: {${option}: ${JSON.stringify(value ?? null)}}`
  }
  const isPython = extension === '.py' || extension === ''
  return `c.${name}.${option} = ${isPython ? toPython(value) : JSON.stringify(value ?? null)}`
}

function toPython(value: unknown): string {
  if (value === undefined || value === null) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value === 'string') return `'${value.replace(/[\\']/g, '\\$&')}'`
  return JSON.stringify(value)
}

function wrap(text: string, comment: string): string {
  const lines: string[] = ['']
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? ''
    if (last.length + word.length > 76) lines.push(word)
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`
  }
  return lines.map((line) => `${comment} ${line}`).join('\n')
}

function shownValue({ value, secret }: ConfigEntry): unknown {
  const isEmpty = value === '' || value === null || value === undefined
  if (secret && !isEmpty && !isEmptyContainer(value)) return hidden
  return plain(value)
}

function isEmptyContainer(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

function plain(value: unknown): unknown {
  if (value === undefined) return null
  if (value instanceof Set) return [...(value as Set<unknown>)]
  if (value instanceof Uint8Array) return hidden
  if (value instanceof Unsupported || value instanceof Edits) return null
  return value
}

function sorted(entries: readonly ConfigEntry[]): ConfigEntry[] {
  return entries.toSorted(
    (a, b) => a.section.localeCompare(b.section) || a.name.localeCompare(b.name),
  )
}
