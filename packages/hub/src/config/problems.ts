import { ConfigError } from '../domain/errors.ts'

/** One thing that is wrong with the configuration, and what to do about it. */
export interface ConfigProblem {
  /** File, variable or flag it came from. */
  readonly source: string
  /** `Class.option`; absent when a file cannot be read at all. */
  readonly option?: string
  /** What is wrong; a sentence. */
  readonly message: string
  /** What to do, such as the nearest known name. */
  readonly remedy?: string
}

/** Everything that is wrong, not just the first: ends the program with exit code 1. */
export class ConfigProblemsError extends ConfigError {
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[], options?: ErrorOptions) {
    super(problems.map(describeProblem).join('\n'), options)
    this.name = 'ConfigProblemsError'
    this.problems = Object.freeze([...problems])
  }
}

export function describeProblem({ source, option, message, remedy }: ConfigProblem): string {
  const subject = option === undefined ? source : `${source}: ${option}`
  return `${subject}: ${message}${remedy === undefined ? '' : ` ${remedy}`}`
}
