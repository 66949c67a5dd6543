import type { Command, Option } from 'commander'
import { createAdminProgram } from '../cli/admin/program.ts'
import { helpText } from '../cli/arguments.ts'
import { edgeFlags, type Flag } from '../cli/edge-flags.ts'
import { code, madeBy, toPage, toTable } from './markdown.ts'

/** `docs/reference/cli.md`: every command with its flags. */
export function toCliReference(): string {
  const program = createAdminProgram(() => () => Promise.resolve())
  const [sample] = program.commands.flatMap(leavesOf)
  const shared = sample?.options.filter(isShared) ?? []
  return toPage([
    madeBy,
    '# Command line',
    'Also installed under the name `jupyterhub`. Exit codes: 0 done, 1 failed, 2 the command line makes no sense.',
    '## Running the hub',
    `\`\`\`text\n${helpText(false).trimEnd()}\n\`\`\``,
    '`orrery --help-all` prints every option; [differences](differences.md) has what JupyterHub’s command line does otherwise.',
    '## Running the edge',
    'The flags are those of configurable-http-proxy 5.3 and further ones; [differences](differences.md#the-proxy) has what is not as there, [the edge](../explanation/edge.md) what they do together.',
    edgeFlagTable(),
    '## Administration',
    'These speak to a running hub; [administer](../howto/administer.md) shows them at work. All of them have these flags:',
    flagTable(shared),
    ...program.commands.flatMap((noun) => [
      `### orrery ${noun.name()}`,
      noun.description(),
      ...leavesOf(noun).map(describeCommand),
    ]),
  ])
}

function leavesOf(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf)
}

function describeCommand(command: Command): string {
  const own = command.options.filter((option) => !isShared(option))
  const explained = command.registeredArguments.filter(({ description }) => description !== '')
  const aliases = command.aliases()
  return toPage([
    `#### ${code(`${nameOf(command)} ${usageOf(command)}`.trim())}`,
    `${command.description()}.${aliases.length === 0 ? '' : ` Also ${aliases.map(code).join(', ')}.`}`,
    explained.length === 0
      ? ''
      : toTable(
          ['argument', 'meaning'],
          explained.map((argument) => [code(argument.name()), argument.description]),
        ),
    own.length === 0 ? '' : flagTable(own),
  ]).trimEnd()
}

function edgeFlagTable(): string {
  return toTable(
    ['flag', 'meaning'],
    Object.entries<Flag>(edgeFlags).map(([name, { short, value, help, default: standard }]) => {
      const usage = [`--${name}`, value].filter((part) => part !== undefined).join(' ')
      const isTold = typeof standard === 'string' && standard !== ''
      return [
        code(short === undefined ? usage : `-${short}, ${usage}`),
        `${help}${isTold ? `; ${code(standard)} by default` : ''}`,
      ]
    }),
  )
}

function flagTable(options: readonly Option[]): string {
  return toTable(
    ['flag', 'meaning'],
    options.map((option) => {
      const { argChoices = [] } = option
      const standard: unknown = option.defaultValue
      const choices = argChoices.length === 0 ? '' : `: ${argChoices.map(code).join(', ')}`
      // Switches that begin with `--no-` have a default of their own that says nothing.
      const shown =
        option.negate || standard === undefined
          ? ''
          : `; ${code(JSON.stringify(standard))} by default`
      return [code(option.flags), `${option.description}${choices}${shown}`]
    }),
  )
}

/** The flags that the help shows in groups of their own. */
function isShared(option: Option): boolean {
  return option.helpGroupHeading === 'Output:' || option.helpGroupHeading === 'Which hub:'
}

function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`
}

function usageOf(command: Command): string {
  return command.registeredArguments
    .map((argument) => {
      const name = `${argument.name()}${argument.variadic ? '...' : ''}`
      return argument.required ? `<${name}>` : `[${name}]`
    })
    .join(' ')
}
