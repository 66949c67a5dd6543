import { resolve } from 'node:path'
import { type Assignment, describeOrigin, type FlagAssignment, type Origin } from './assignment.ts'
import { authenticatorSections, spawnerSections } from './class-names.ts'
import { type Codec, Unsupported, ValueMismatch } from './codec.ts'
import { applyEdits, Edits } from './edits.ts'
import { isKnownClass, listKnownClasses, listKnownOptions } from './known-options.ts'
import { findNearestName } from './names.ts'
import {
  findOption,
  isComputed,
  lineageOf,
  type OptionClass,
  type OptionSpec,
  propertyNameOf,
} from './option.ts'
import { type Config, forwardedOptions, optionClasses } from './options/classes.ts'
import { type ConfigProblem, ConfigProblemsError, describeProblem } from './problems.ts'
import { chooseConfigFiles } from './sources/choose-files.ts'
import { type Environment, readEnvironment } from './sources/environment.ts'
import { loadFile } from './sources/load-file.ts'

export interface LoadInput {
  readonly cwd: string
  readonly env: Environment
  /** `--config`. */
  readonly configFile?: string | undefined
  readonly flags: readonly FlagAssignment[]
  /** Turns warnings about options into errors. */
  readonly strict: boolean
}

export interface LoadedConfig {
  readonly config: Config
  /** Files that were read, in order. */
  readonly files: readonly string[]
  /** For people, one line each. */
  readonly warnings: readonly string[]
  /** Every option with its effective value, as a file would give it, and where that came from. */
  readonly entries: readonly ConfigEntry[]
}

export interface ConfigEntry {
  readonly section: string
  readonly name: string
  readonly value: unknown
  readonly origin: Origin
  readonly secret: boolean
}

/**
 * Reads the configuration: defaults, then environment that files may replace, files, environment,
 * command line; later ones win.
 * @throws ConfigProblemsError that lists everything that is wrong
 */
export async function loadConfig(input: LoadInput): Promise<LoadedConfig> {
  const files = chooseConfigFiles(input.cwd, input.configFile)
  const fromFiles: Assignment[] = []
  for (const file of files) fromFiles.push(...(await loadFile(file, input.cwd)))
  const { fallbacks, overrides } = readEnvironment(input.env)
  const reader = new ConfigReader(input)
  reader.take([...fallbacks, ...fromFiles, ...overrides])
  reader.takeFlags(input.flags)
  if (files.length === 0) reader.takeBareDefaults()
  return { ...reader.read(), files }
}

/** A value as files give it, with where it came from. */
interface Raw {
  readonly value: unknown
  readonly origin: Origin
}

interface Step extends Raw {
  readonly section: string
}

interface Target {
  readonly section: string
  readonly name: string
  readonly spec: OptionSpec<unknown>
}

class ConfigReader {
  readonly #cwd: string
  readonly #strict: boolean
  readonly #problems: ConfigProblem[] = []
  readonly #warnings: string[] = []
  /** Assignments by `Class.option`, in the order in which they count. */
  readonly #steps = new Map<string, Step[]>()
  readonly #raw = new Map<string, Raw>()

  constructor(input: Pick<LoadInput, 'cwd' | 'strict'>) {
    this.#cwd = input.cwd
    this.#strict = input.strict
  }

  take(assignments: readonly Assignment[]): void {
    for (const assignment of assignments) this.#takeOne(assignment)
  }

  /** The command line's texts are read by the type of their option. */
  takeFlags(flags: readonly FlagAssignment[]): void {
    for (const { section, name, texts, flag } of flags) {
      const origin = { kind: 'command line', flag } as const
      const target = this.#findTarget({ section, name, value: undefined, origin })
      if (target === undefined) continue
      this.#guard(`${section}.${name}`, origin, () => {
        const value = target.spec.type.fromTexts(texts)
        this.#add({ section: target.section, name: target.name, value, origin })
      })
    }
  }

  /**
   * Without a configuration file: accounts are the hub's own and need no system users, so servers
   * run as one system user, with homes in the data folder.
   */
  takeBareDefaults(): void {
    const dataDir = this.#fold('Orrery', 'data_dir').value
    const defaults: Readonly<Record<string, unknown>> = {
      'JupyterHub.spawner_class': 'simple',
      'SimpleLocalProcessSpawner.home_dir_template': `${String(dataDir)}/homes/{username}`,
    }
    for (const [key, value] of Object.entries(defaults)) {
      const [section = '', name = ''] = key.split('.')
      const step = { section, name, value, origin: { kind: 'default' } } as const
      this.#steps.set(key, [step, ...(this.#steps.get(key) ?? [])])
    }
    this.#raw.clear() // finding the data folder has asked for the spawner already
  }

  read(): Omit<LoadedConfig, 'files'> {
    const slices: Record<string, Record<string, unknown>> = {}
    const entries: ConfigEntry[] = []
    for (const [className, optionClass] of optionClasses) {
      const slice: Record<string, unknown> = {}
      for (const [name, spec] of Object.entries(optionClass.options)) {
        const raw = this.#rawOf(className, name)
        slice[propertyNameOf(name, spec)] = this.#decode({ className, name, spec, raw })
        entries.push({ section: className, name, ...raw, secret: spec.secret === true })
      }
      slices[className] = Object.freeze(slice)
    }
    if (this.#problems.length > 0) throw new ConfigProblemsError(this.#problems)
    // Every class and option of the type came out of the same tables.
    return { config: Object.freeze(slices) as Config, warnings: this.#warnings, entries }
  }

  #takeOne(assignment: Assignment): void {
    const target = this.#findTarget(assignment)
    if (target === undefined) return
    this.#add({ ...assignment, section: target.section, name: target.name })
  }

  #add(assignment: Assignment): void {
    const key = `${assignment.section}.${assignment.name}`
    const steps = this.#steps.get(key) ?? []
    steps.push(assignment)
    this.#steps.set(key, steps)
  }

  /** The option an assignment means; reports and drops what means none. */
  #findTarget(assignment: Assignment): Target | undefined {
    const { name, origin } = assignment
    let { section } = assignment
    if (section === 'JupyterHubApp') {
      this.#warnings.push(`${describeOrigin(origin)}: JupyterHubApp is called JupyterHub now.`)
      section = 'JupyterHub'
    }
    const forwarded = forwardedOptions[`${section}.${name}`]
    if (forwarded !== undefined) {
      const [newSection, newName] = forwarded
      this.#warnings.push(
        `${describeOrigin(origin)}: ${section}.${name} is deprecated; use ${newSection}.${newName}.`,
      )
      return this.#findTarget({ ...assignment, section: newSection, name: newName })
    }
    const optionClass = optionClasses.get(section)
    if (optionClass === undefined) {
      this.#reportForeign(section, name, origin)
      return undefined
    }
    const found = findOption(optionClass, name)
    if (found === undefined) {
      this.#reportUnknown(optionClass, assignment)
      return undefined
    }
    return { section, name, spec: found.spec }
  }

  #reportForeign(section: string, name: string, origin: Origin): void {
    const problem: ConfigProblem = isKnownClass(section)
      ? {
          source: describeOrigin(origin),
          option: `${section}.${name}`,
          message: `${section} is not supported by this version of Orrery; the option has no effect.`,
        }
      : {
          source: describeOrigin(origin),
          option: `${section}.${name}`,
          message: `Orrery knows no class ${section}; the option has no effect.`,
          ...this.#suggest(section, [...optionClasses.keys(), ...listKnownClasses()]),
        }
    this.#tolerate(problem)
  }

  #reportUnknown(optionClass: OptionClass, assignment: Assignment): void {
    const { name, origin, value } = assignment
    const problem = { source: describeOrigin(origin), option: `${optionClass.name}.${name}` }
    if (!listKnownOptions(optionClass.name).has(name)) {
      const names = lineageOf(optionClass).flatMap((ancestor) => Object.keys(ancestor.options))
      this.#problems.push({
        ...problem,
        message: 'there is no such option.',
        ...this.#suggest(name, names),
      })
      return
    }
    if (value instanceof Unsupported || typeof value === 'function') {
      const kind = value instanceof Unsupported ? value.description : 'function'
      this.#problems.push({
        ...problem,
        message: `a ${kind} cannot be used here: Orrery takes plain values only, so far.`,
      })
      return
    }
    this.#tolerate({ ...problem, message: 'is not supported yet and has no effect.' })
  }

  #tolerate(problem: ConfigProblem): void {
    if (this.#strict) this.#problems.push(problem)
    else this.#warnings.push(describeProblem(problem))
  }

  #suggest(name: string, candidates: readonly string[]): { remedy?: string } {
    const nearest = findNearestName(name, candidates)
    return nearest === undefined ? {} : { remedy: `Did you mean ${nearest}?` }
  }

  /** The effective value of an option declared by `className`, before it is decoded. */
  #rawOf(className: string, name: string): Raw {
    const key = `${className}.${name}`
    const known = this.#raw.get(key)
    if (known !== undefined) return known
    const raw = this.#fold(className, name)
    this.#raw.set(key, raw)
    return raw
  }

  #fold(className: string, name: string): Raw {
    const leaf = this.#leafOf(className)
    const lineage = lineageOf(leaf)
    const spec = findOption(leaf, name)?.spec
    if (spec === undefined) throw new TypeError(`no option ${className}.${name}`)
    const override = lineage.findLast((ancestor) => Object.hasOwn(ancestor.defaults, name))
    let raw: Raw = {
      value: this.#default(override === undefined ? spec.default : override.defaults[name]),
      origin: { kind: 'default' },
    }
    for (const ancestor of lineage) {
      for (const step of this.#steps.get(`${ancestor.name}.${name}`) ?? []) {
        raw = this.#apply(raw, { step, spec, option: `${ancestor.name}.${name}` })
      }
    }
    if (name === 'data_dir' && typeof raw.value === 'string') {
      return { ...raw, value: resolve(this.#cwd, raw.value) }
    }
    return raw
  }

  #apply(raw: Raw, input: { step: Step; spec: OptionSpec<unknown>; option: string }): Raw {
    const { step, spec, option } = input
    const { value, origin } = step
    if (!(value instanceof Edits)) return { value, origin }
    const edited = this.#guard(option, origin, () =>
      applyEdits(raw.value, value, spec.type.container),
    )
    return edited === undefined ? raw : { value: edited, origin }
  }

  #default(value: unknown): unknown {
    return isComputed(value)
      ? value.compute((section, name) => this.#rawOf(section, name).value)
      : value
  }

  /** The most specific class whose sections count: the chosen spawner's for `Spawner`, and so on. */
  #leafOf(className: string): OptionClass {
    const own = optionClasses.get(className)
    if (own === undefined) throw new TypeError(`no class ${className}`)
    if (className === 'JupyterHub' || className === 'Application') {
      return optionClasses.get('JupyterHub') ?? own
    }
    const section = this.#chosenSection(lineageOf(own)[0]?.name)
    const chosen = section === undefined ? undefined : optionClasses.get(section)
    return chosen !== undefined && lineageOf(chosen).includes(own) ? chosen : own
  }

  #chosenSection(family: string | undefined): string | undefined {
    const choose = (name: string, sections: Readonly<Record<string, string>>) => {
      const raw = this.#rawOf('JupyterHub', name)
      const spec = optionClasses.get('JupyterHub')?.options[name]
      const id = spec && tryDecode(spec.type, raw.value)
      return typeof id === 'string' ? sections[id] : undefined
    }
    switch (family) {
      case 'Spawner':
        return choose('spawner_class', spawnerSections)
      case 'Authenticator':
        return choose('authenticator_class', authenticatorSections)
      case 'Proxy':
        // That of both proxies; the default of proxy_class depends on it.
        return 'ConfigurableHTTPProxy'
      default:
        return undefined
    }
  }

  #decode(input: {
    className: string
    name: string
    spec: OptionSpec<unknown>
    raw: Raw
  }): unknown {
    const { className, name, spec, raw } = input
    const option = `${className}.${name}`
    return this.#guard(option, raw.origin, () =>
      spec.type.decode(raw.value, {
        warn: (message) => {
          this.#tolerate({ source: describeOrigin(raw.origin), option, message })
        },
      }),
    )
  }

  #guard<T>(option: string, origin: Origin, work: () => T): T | undefined {
    try {
      return work()
    } catch (error) {
      if (!(error instanceof ValueMismatch)) throw error
      this.#problems.push({ source: describeOrigin(origin), option, message: error.message })
      return undefined
    }
  }
}

function tryDecode(type: Codec<unknown>, value: unknown): unknown {
  try {
    return type.decode(value, { warn: () => undefined })
  } catch {
    return undefined // reported where the option itself is read
  }
}
