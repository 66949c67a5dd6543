import { pathToFileURL } from 'node:url'
import { format } from 'node:util'
import { messageOf } from '../../../domain/errors.ts'
import type { EdgeLog, LogLevel } from '../context.ts'

/**
 * What a module given by `--storage-backend` exports: a class with these methods, as
 * configurable-http-proxy takes it. Each may give a promise or a value.
 * Source: contract proxy §11.
 */
export interface StoragePlugin {
  /** The route with the longest prefix of a decoded path. */
  getTarget(path: string): unknown
  getAll(): unknown
  add(path: string, data: object): unknown
  /** Merges. */
  update(path: string, data: object): unknown
  remove(path: string): unknown
  /** What `getAll` has under the path, unless given. */
  get?(path: string): unknown
  cleanPath?(path: string): unknown
}

/** How a plug-in is made, in each thread that has one; plain data. */
export interface PluginSettings {
  /** File of the module. */
  readonly file: string
  /** What its constructor gets besides `log`: options named as configurable-http-proxy names them. */
  readonly options: Readonly<Record<string, unknown>>
}

const required = ['getTarget', 'getAll', 'add', 'update', 'remove'] as const

/** Makes an instance. Rejects with an error for people. */
export async function loadPlugin(settings: PluginSettings, log: EdgeLog): Promise<StoragePlugin> {
  const { file, options } = settings
  const fault = (what: string): Error => new Error(`--storage-backend ${file}: ${what}`)
  try {
    const module = (await import(pathToFileURL(file).href)) as { readonly default?: unknown }
    const found = exported(module)
    if (typeof found !== 'function') throw new TypeError('its export is no class')
    const Plugin = found as new (options: object) => Partial<StoragePlugin>
    const plugin = new Plugin({ ...options, log: loggerFor(log) })
    const missing = required.filter((name) => typeof plugin[name] !== 'function')
    if (missing.length > 0) throw new TypeError(`its class has no ${missing.join(', ')}`)
    return plugin as StoragePlugin // all that is required was found
  } catch (error) {
    throw fault(messageOf(error))
  }
}

/** `module.exports`, `export default`, or the latter compiled to the former. */
function exported({ default: found }: { readonly default?: unknown }): unknown {
  if (typeof found !== 'object' || found === null || !('default' in found)) return found
  return found.default
}

/** As winston's, of which plug-ins are given one: `%s` and the like are filled in. */
function loggerFor(log: EdgeLog): Record<LogLevel, (...words: unknown[]) => void> {
  const at =
    (level: LogLevel) =>
    (...words: unknown[]): void =>
      log(level, format(...words))
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
