import { type Command, Option } from 'commander'
import { parseCount } from './arguments.ts'

/** Adds a command below a noun, with the flags that every one has. */
export type Leaf = (noun: Command, nameAndArguments: string, summary: string) => Command

export const leaf: Leaf = (noun, nameAndArguments, summary) =>
  noun
    .command(nameAndArguments)
    .description(summary)
    .optionsGroup('Output:')
    .option('--json', 'print one JSON document, for programs')
    .option('-y, --yes', 'do not ask before deleting')
    .optionsGroup('Which hub:')
    .option('--url <address>', "the hub's address (or JUPYTERHUB_API_URL)")
    .option('--token-file <file>', 'file that holds the token; - is standard input')
    .option(
      '--token <token>',
      'the token itself, seen by everybody on the machine (or JUPYTERHUB_API_TOKEN)',
    )
    .option('-f, --config <file>', 'configuration of the hub on this machine')
    .option('--data-dir <folder>', 'data folder of the hub on this machine')
    .option('--db <url>', 'database of the hub on this machine')
    .optionsGroup('Options:')

export function limitOption(): Option {
  return new Option('--limit <n>', 'at most so many; 0 is no limit')
    .argParser(parseCount)
    .default(200)
}

export function choice(flags: string, description: string, choices: readonly string[]): Option {
  return new Option(flags, description).choices(choices)
}
