import { pathToFileURL } from 'node:url'
import type { Assignment } from '../assignment.ts'
import { isPlainObject } from '../codec.ts'
import { Edits } from '../edits.ts'
import { messageOf } from '../../domain/errors.ts'
import { ConfigProblemsError } from '../problems.ts'
import { toAssignments } from './sections.ts'

/** How long a configuration file may take, whatever it does. */
export const fileDeadlineMs = 60_000

/** A class in `c`: options are set, or edited as `c.Spawner.args.append('--x')`. */
export type ConfigSection = Record<string, unknown>

/** What a configuration file in TypeScript or JavaScript is handed. */
export type Configurator = Record<string, ConfigSection>

/**
 * Runs a TypeScript or JavaScript file. Its default export is an object of classes, or a function
 * (which may be `async`) that is given `c` and may return such an object instead.
 * @throws ConfigProblemsError with file and message when it fails, hangs or exports something else
 */
export async function loadScript(file: string): Promise<readonly Assignment[]> {
  const running = runScript(file)
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    reject(new Error(`did not finish within ${fileDeadlineMs / 1000} s`))
  }, fileDeadlineMs)
  try {
    return toAssignments(await Promise.race([running, late]), file)
  } catch (error) {
    if (error instanceof ConfigProblemsError) throw error
    const place = findLine(error, file)
    throw new ConfigProblemsError(
      [{ source: `${file}${place}`, message: `${messageOf(error)}.` }],
      { cause: error },
    )
  } finally {
    clearTimeout(timer)
  }
}

async function runScript(file: string): Promise<unknown> {
  const module: unknown = await import(pathToFileURL(file).href)
  const exported = isModule(module) ? module.default : undefined
  if (typeof exported !== 'function') {
    if (exported === undefined) throw new Error('has no default export')
    return exported
  }
  const sections: Record<string, ConfigSection> = {}
  const configure = exported as (c: Configurator) => unknown
  const returned = await configure(createConfigurator(sections))
  return isPlainObject(returned) ? { ...sections, ...returned } : sections
}

/** Classes and options come into being when they are first touched, as in Python. */
function createConfigurator(sections: Record<string, ConfigSection>): Configurator {
  return new Proxy(sections, {
    get(target, name) {
      if (typeof name !== 'string') return undefined
      target[name] ??= createSection()
      return target[name]
    },
  })
}

function createSection(): ConfigSection {
  const options: ConfigSection = {}
  return new Proxy(options, {
    get(target, name) {
      if (typeof name !== 'string') return undefined
      if (!Object.hasOwn(target, name)) target[name] = new Edits()
      return target[name]
    },
  })
}

function isModule(module: unknown): module is { readonly default?: unknown } {
  return typeof module === 'object' && module !== null
}

/** `:line` of the first place in the file that the stack names. */
function findLine(error: unknown, file: string): string {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  const after = stack.split(file)[1] ?? ''
  const line = /^[^\s:)]*:(\d+)/.exec(after)?.[1]
  return line === undefined ? '' : `:${line}`
}
