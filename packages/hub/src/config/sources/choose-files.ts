import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { extname, join, resolve } from 'node:path'
import { ConfigProblemsError } from '../problems.ts'

export const configExtensions = ['.ts', '.js', '.mjs', '.json', '.yaml', '.yml', '.py'] as const

const defaultStem = 'jupyterhub_config'

/**
 * The files to read, in order, later ones winning. A Python file and a JSON file of the same name
 * belong together, as in JupyterHub. Without a named file, one in the working folder is taken; it
 * may be missing.
 * @throws ConfigProblemsError for a named file that is missing or of no known kind, and when
 *   several files could be meant
 */
export function chooseConfigFiles(cwd: string, named: string | undefined): readonly string[] {
  return named === undefined ? findDefaultFiles(cwd) : findNamedFiles(cwd, named)
}

function findDefaultFiles(cwd: string): readonly string[] {
  const found = configExtensions
    .map((extension) => join(cwd, `${defaultStem}${extension}`))
    .filter((file) => existsSync(file))
  const others = found.filter((file) => !isPairMember(file))
  if (others.length === 0) return inPairOrder(found)
  if (found.length === 1) return found
  throw new ConfigProblemsError([
    {
      source: cwd,
      message: `several configuration files could be meant: ${found.join(', ')}.`,
      remedy: 'Keep one, or name it with --config.',
    },
  ])
}

function findNamedFiles(cwd: string, named: string): readonly string[] {
  const file = resolve(cwd, named.replace(/^~(?=\/|$)/, homedir()))
  const extension = extname(file)
  const stem = extension === '' ? file : file.slice(0, -extension.length)
  const isPair = extension === '' || isPairMember(file)
  const candidates = isPair ? [`${stem}.py`, `${stem}.json`] : [file]
  const found = candidates.filter((candidate) => existsSync(candidate))
  const missing = extension === '' ? found.length === 0 : !existsSync(file)
  if (missing) {
    throw new ConfigProblemsError([
      { source: file, message: 'the configuration file that --config names does not exist.' },
    ])
  }
  if (extension !== '' && !configExtensions.some((known) => known === extension)) {
    throw new ConfigProblemsError([
      {
        source: file,
        message: `'${extension}' is no kind of configuration file.`,
        remedy: `Known: ${configExtensions.join(', ')}.`,
      },
    ])
  }
  return found
}

function isPairMember(file: string): boolean {
  return file.endsWith('.py') || file.endsWith('.json')
}

/** Python first: what the JSON file says wins. */
function inPairOrder(files: readonly string[]): readonly string[] {
  return [...files].sort(
    (one, other) => Number(one.endsWith('.json')) - Number(other.endsWith('.json')),
  )
}
