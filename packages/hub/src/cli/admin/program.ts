import { Command, CommanderError } from 'commander'
import { adminNouns, UsageError } from '../arguments.ts'
import { defineGroups } from './groups.ts'
import { type Leaf, leaf } from './leaf.ts'
import { defineRoles } from './roles.ts'
import { defineServers } from './servers.ts'
import { defineServices } from './services.ts'
import { type Act, type AdminContext, createAct } from './session.ts'
import { defineShares } from './shares.ts'
import { defineTokens } from './tokens.ts'
import { defineUsers } from './users.ts'

type Define = (noun: Command, leaf: Leaf, act: Act) => void

const definitions: Readonly<Record<keyof typeof adminNouns, Define>> = {
  users: defineUsers,
  servers: defineServers,
  groups: defineGroups,
  tokens: defineTokens,
  roles: defineRoles,
  services: defineServices,
  shares: defineShares,
}

/** The commands below `orrery`, for running and for the reference. */
export function createAdminProgram(act: Act): Command {
  const program = new Command('orrery').description('Administer a hub through its REST API.')
  for (const [name, define] of Object.entries(definitions)) {
    const summary = adminNouns[name as keyof typeof adminNouns] // its own keys
    define(program.command(name).description(`Administer ${summary}.`), leaf, act)
  }
  return program
}

/**
 * Runs `orrery users …` and the like.
 * @returns the exit code: 0, or 1 when something could not be done
 * @throws UsageError (exit code 2) when the command line makes no sense
 */
export async function runAdmin(argv: readonly string[], context: AdminContext): Promise<number> {
  let exitCode = 0
  const program = createAdminProgram(
    createAct(context, (code) => {
      exitCode = code
    }),
  )
  let complaint = ''
  configure(program, {
    writeOut: (text) => context.stdout.write(text),
    writeErr: (text) => {
      complaint += text
    },
  })
  try {
    await program.parseAsync([...argv], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return 0
    throw new UsageError(complaint.replace(/^error: /, '').trim() || error.message, 2)
  }
  return exitCode
}

/** Settings of Commander are not passed down to commands that are there already. */
function configure(
  command: Command,
  output: { writeOut: (text: string) => void; writeErr: (text: string) => void },
): void {
  command.exitOverride().configureOutput(output)
  for (const child of command.commands) configure(child, output)
}
