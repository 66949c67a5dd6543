import type { FlagAssignment } from '../config/assignment.ts'
import { optionClasses } from '../config/options/classes.ts'
import { findNearestName } from '../config/names.ts'

export type Command =
  | 'start'
  | 'hub'
  | 'edge'
  | 'token'
  | 'upgrade-db'
  | 'administer'
  | 'help'
  | 'version'

/** What the command line says, before any configuration is read. */
export interface Arguments {
  readonly command: Command
  readonly positionals: readonly string[]
  /** Everything behind `edge`, whose flags are configurable-http-proxy's, and from `users` and the like on. */
  readonly rest: readonly string[]
  readonly configFile: string | undefined
  readonly strict: boolean
  readonly generateConfig: boolean
  readonly showConfig: 'text' | 'json' | undefined
  readonly answerYes: boolean
  readonly helpAll: boolean
  readonly flags: readonly FlagAssignment[]
  /** Things to tell the person that do not stop anything. */
  readonly warnings: readonly string[]
}

/** A command line that makes no sense. Exit code 2 for a missing value, else 1. */
export class UsageError extends Error {
  readonly exitCode: 1 | 2

  constructor(message: string, exitCode: 1 | 2) {
    super(message)
    this.name = 'UsageError'
    this.exitCode = exitCode
  }
}

/** Flags that stand for an option and take a value. Source: contract cli-metrics-events §1.1. */
const aliases: Readonly<Record<string, readonly [string, string]>> = {
  ip: ['JupyterHub', 'ip'],
  port: ['JupyterHub', 'port'],
  url: ['JupyterHub', 'bind_url'],
  'base-url': ['JupyterHub', 'base_url'],
  'hub-ip': ['JupyterHub', 'hub_ip'],
  'hub-port': ['JupyterHub', 'hub_port'],
  'ssl-key': ['JupyterHub', 'ssl_key'],
  'ssl-cert': ['JupyterHub', 'ssl_cert'],
  'pid-file': ['JupyterHub', 'pid_file'],
  db: ['JupyterHub', 'db_url'],
  'log-level': ['Application', 'log_level'],
  'data-dir': ['Orrery', 'data_dir'],
}

/** Flags that set an option to a fixed value. */
const switches: Readonly<Record<string, readonly [string, string, string]>> = {
  debug: ['Application', 'log_level', '10'],
  'no-db': ['JupyterHub', 'db_url', 'sqlite:///:memory:'],
  'upgrade-db': ['JupyterHub', 'upgrade_db', 'true'],
  'generate-certs': ['JupyterHub', 'generate_certs', 'true'],
}

const ignoredSwitches = ['no-ssl']
const commands: readonly string[] = ['hub', 'edge', 'token', 'upgrade-db', 'help']
/** What `orrery` administers; their flags are described in `admin/`, which is loaded for them alone. */
export const adminNouns = {
  users: 'people',
  servers: 'single-user servers',
  groups: 'sets of users',
  tokens: 'API tokens',
  roles: 'named sets of scopes, which come from the configuration',
  services: 'programs with an identity of their own',
  shares: 'access to servers granted to others',
} as const

const maxArguments = 10_000

/** Reads a command line. @throws UsageError */
export function parseArguments(argv: readonly string[]): Arguments {
  if (argv.length > maxArguments) throw new UsageError('too many arguments', 1)
  const [first, ...others] = argv
  if (first === 'edge') return { ...new ArgumentReader('edge').result(), rest: others }
  if (first !== undefined && Object.hasOwn(adminNouns, first)) {
    return { ...new ArgumentReader('administer').result(), rest: argv }
  }
  const isCommand = first !== undefined && commands.includes(first)
  const reader = new ArgumentReader(isCommand ? (first as Command) : 'start')
  reader.read(isCommand ? others : argv)
  return reader.result()
}

class ArgumentReader {
  #command: Command
  readonly #positionals: string[] = []
  readonly #flags = new Map<string, { section: string; name: string; texts: string[] }>()
  readonly #warnings: string[] = []
  #configFile: string | undefined
  #strict = false
  #generateConfig = false
  #showConfig: 'text' | 'json' | undefined
  #answerYes = false
  #helpAll = false

  constructor(command: Command) {
    this.#command = command
  }

  read(argv: readonly string[]): void {
    const waiting = [...argv]
    for (let word = waiting.shift(); word !== undefined; word = waiting.shift()) {
      if (!word.startsWith('-') || word === '-') this.#takePositional(word)
      else this.#takeFlag(word, waiting)
    }
  }

  result(): Arguments {
    return {
      command: this.#command,
      positionals: this.#positionals,
      rest: [],
      configFile: this.#configFile,
      strict: this.#strict,
      generateConfig: this.#generateConfig,
      showConfig: this.#showConfig,
      answerYes: this.#answerYes,
      helpAll: this.#helpAll,
      flags: [...this.#flags].map(([flag, { section, name, texts }]) => ({
        section,
        name,
        texts,
        flag,
      })),
      warnings: this.#warnings,
    }
  }

  #takePositional(word: string): void {
    if (this.#command !== 'token') {
      const nearest = findNearestName(word, [...commands, ...Object.keys(adminNouns)])
      const hint = nearest === undefined ? '' : ` Did you mean '${nearest}'?`
      throw new UsageError(`'${word}' is no command.${hint} See \`orrery --help\`.`, 1)
    }
    this.#positionals.push(word)
  }

  #takeFlag(word: string, waiting: string[]): void {
    const equals = word.indexOf('=')
    const flag = equals === -1 ? word : word.slice(0, equals)
    const given = equals === -1 ? undefined : word.slice(equals + 1)
    if (given === undefined && this.#takeSwitch(flag)) return
    const value = () => given ?? nextValue(flag, waiting)
    if (flag === '-f' || flag === '--config') {
      this.#configFile = value()
      return
    }
    const name = flag.replace(/^--?/, '')
    const alias = Object.hasOwn(aliases, name) ? aliases[name] : undefined
    if (alias !== undefined && flag.startsWith('--')) {
      this.#add(flag, [...alias, value()])
      return
    }
    const [section, option] = name.split(/\.(.*)/s)
    if (flag.startsWith('--') && section !== undefined && option !== undefined && option !== '') {
      if (!optionClasses.has(section) && given === undefined) return // a foreign class: no value known
      this.#add(flag, [section, option, value()])
      return
    }
    if (given !== undefined && this.#takeSwitch(flag)) {
      throw new UsageError(`${flag} takes no value`, 2)
    }
    this.#reportUnknown(flag)
  }

  #takeSwitch(flag: string): boolean {
    const name = flag.slice(2)
    const set = flag.startsWith('--') && Object.hasOwn(switches, name) ? switches[name] : undefined
    if (set !== undefined) {
      this.#add(flag, set)
      return true
    }
    if (flag.startsWith('--') && ignoredSwitches.includes(name)) return true
    switch (flag) {
      case '-h':
      case '--help':
        this.#command = 'help'
        return true
      case '--help-all':
        this.#command = 'help'
        this.#helpAll = true
        return true
      case '-V':
      case '--version':
        this.#command = 'version'
        return true
      case '-y':
        this.#answerYes = true
        return true
      case '--strict':
        this.#strict = true
        return true
      case '--generate-config':
        this.#generateConfig = true
        return true
      case '--show-config':
        this.#showConfig = 'text'
        return true
      case '--show-config-json':
        this.#showConfig = 'json'
        return true
      default:
        return false
    }
  }

  #add(flag: string, assignment: readonly [string, string, string]): void {
    const [section, name, text] = assignment
    const known = this.#flags.get(flag)
    if (known === undefined) this.#flags.set(flag, { section, name, texts: [text] })
    else known.texts.push(text)
  }

  #reportUnknown(flag: string): never {
    const names = [...Object.keys(aliases), ...Object.keys(switches), 'config', 'strict', 'help']
    const nearest = findNearestName(flag.replace(/^--?/, ''), names)
    const hint = nearest === undefined ? '' : ` Did you mean --${nearest}?`
    throw new UsageError(`there is no flag ${flag}.${hint} See \`orrery --help\`.`, 1)
  }
}

function nextValue(flag: string, waiting: string[]): string {
  const next = waiting.shift()
  if (next === undefined || next.startsWith('--')) {
    throw new UsageError(`${flag} needs a value, as in ${flag}=VALUE`, 2)
  }
  return next
}

/** Text of `--help`; with `all`, every option. */
export function helpText(all: boolean): string {
  const options = Object.entries(aliases).map(
    ([name, [section, option]]) => `  --${name} VALUE`.padEnd(24) + summaryOf(section, option),
  )
  const administration = Object.entries(adminNouns).map(
    ([noun, summary]) => `       orrery ${noun} ...`.padEnd(34) + summary,
  )
  const base = `Orrery: a hub that gives each user a server of their own behind one address.

Usage: orrery [flags]             start hub and edge
       orrery hub [flags]         start the hub alone
       orrery edge [flags]        start the edge (proxy) alone; flags as configurable-http-proxy
       orrery token [USERNAME]    make an API token and print it
       orrery upgrade-db          bring the database to this version

Administration of a running hub; \`orrery users --help\` and so on tell more:
${administration.join('\n')}

Flags:
  -f, --config FILE     configuration file (.py, .ts, .js, .json, .yaml)
${options.join('\n')}
  --Class.option=VALUE  any option, such as --Spawner.mem_limit=2G
  --strict              options that are not supported are errors
  --debug               log more
  --no-db               keep everything in memory
  --upgrade-db          upgrade an older database at start
  --generate-certs      make the certificates of JupyterHub.internal_ssl and exit
  --generate-config     write a commented configuration file; -y overwrites
  --show-config         print the effective configuration with the origin of each value
  --show-config-json    the same as JSON
  -V, --version         print the version
  -h, --help            print this text; --help-all prints every option
`
  return all ? `${base}\nOptions:\n${allOptions()}` : base
}

function summaryOf(section: string, option: string): string {
  return optionClasses.get(section)?.options[option]?.summary ?? ''
}

function allOptions(): string {
  return [...optionClasses.values()]
    .flatMap(({ name, options }) =>
      Object.entries(options).map(
        ([option, spec]) => `  --${name}.${option}=<${spec.type.describe}>\n      ${spec.summary}`,
      ),
    )
    .join('\n')
}
