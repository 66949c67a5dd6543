import { type Client, HubRequestError } from '@orrery/client'
import type { Command } from 'commander'
import { ConfigError } from '../../domain/errors.ts'
import { UsageError } from '../arguments.ts'
import { CommandFailed } from '../command-failed.ts'
import { type ConnectionRequest, openConnection } from './connection.ts'
import { describeProblem, failedOutcome, type Outcome, type Problem, toJson } from './outcome.ts'
import { type Streams, Terminal } from './terminal.ts'

/** Flags that every command has. */
export interface CommonOptions {
  readonly url?: string
  readonly token?: string
  readonly tokenFile?: string
  readonly config?: string
  readonly dataDir?: string
  readonly db?: string
  readonly json?: true
  readonly yes?: true
}

/** What a command works with. */
export interface Session {
  readonly hub: Client
  readonly terminal: Terminal
  readonly options: CommonOptions
  readonly stdin: NodeJS.ReadableStream
  /** Ends the command: it was called in a way that makes no sense. */
  usage(message: string): never
  /** Asks before something that cannot be undone. */
  confirm(question: string): Promise<void>
}

export interface AdminContext extends Streams {
  readonly cwd: string
  readonly signal: AbortSignal
}

/** Fixed, or decided by the arguments. */
type Scopes<Args extends readonly unknown[]> =
  | readonly string[]
  | ((...args: Args) => readonly string[])

/**
 * Makes the action of a command. `scopes` is what it needs: on the hub's own machine it gets a token
 * with these and nothing more.
 */
export type Act = <Args extends readonly unknown[]>(
  scopes: Scopes<Args>,
  run: (session: Session, ...args: Args) => Promise<Outcome>,
) => (...args: unknown[]) => Promise<void>

export function createAct(context: AdminContext, onExitCode: (code: number) => void): Act {
  return <Args extends readonly unknown[]>(
    scopes: Scopes<Args>,
    run: (session: Session, ...args: Args) => Promise<Outcome>,
  ) =>
    async (...all: unknown[]) => {
      const command = all.at(-1) as Command // Commander's last argument, always
      const args = all.slice(0, -1) as unknown as Args // as the command declares them
      const options = command.optsWithGlobals<CommonOptions>()
      const needed = typeof scopes === 'function' ? scopes(...args) : scopes
      const terminal = new Terminal(context, { quiet: options.json === true })
      const work = (session: Session) => run(session, ...args)
      const outcome = await runInSession(
        { context, options, scopes: needed, terminal },
        work,
      ).catch(toOutcome)
      onExitCode(report(outcome, { terminal, json: options.json === true }))
    }
}

async function runInSession(
  request: ConnectionRequest,
  work: (session: Session) => Promise<Outcome>,
): Promise<Outcome> {
  const { context, options, terminal } = request
  const connection = await openConnection(request)
  try {
    return await work({
      hub: connection.hub,
      terminal,
      options,
      stdin: context.stdin,
      confirm: (question) => terminal.confirm(question, { yes: options.yes === true }),
      usage: (message) => {
        throw new UsageError(message, 2)
      },
    })
  } finally {
    await connection.close()
  }
}

/** What could not be done, as something to report; mistakes of the program stay exceptions. */
function toOutcome(error: unknown): Outcome {
  if (error instanceof HubRequestError) return failedOutcome(error.reason)
  if (error instanceof CommandFailed || error instanceof ConfigError) {
    return failedOutcome({ kind: 'failed', message: error.message })
  }
  throw error
}

/** @returns the exit code */
function report(
  outcome: Outcome,
  { terminal, json }: { terminal: Terminal; json: boolean },
): number {
  const text = json ? toJson(outcome) : outcome.text(terminal)
  if (text !== undefined) terminal.print(text)
  for (const problem of outcome.problems) {
    if (!json) terminal.tell(`orrery: ${describeProblem(problem)}${hint(problem.error)}`)
  }
  return outcome.problems.length === 0 ? 0 : 1
}

function hint(error: Problem['error']): string {
  return error.kind === 'unreachable' ? ' Is the hub running?' : ''
}
