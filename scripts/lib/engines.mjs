import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isExecutable, listOnPath } from './files.mjs'

const chromiumNames = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const postgresRoot = '/usr/lib/postgresql'

/**
 * The engines on this machine that tests can use, as the environment variables that tell the tests. A variable
 * that is set already stands; a missing engine has none, and its tests skip.
 * @param {NodeJS.ProcessEnv} env
 * @returns {{ ORRERY_CHROMIUM?: string, ORRERY_POSTGRES_BIN?: string }}
 */
export function findEngines(env) {
  const chromium = env.ORRERY_CHROMIUM ?? chromiumNames.flatMap((name) => listOnPath(name))[0]
  const postgres = env.ORRERY_POSTGRES_BIN ?? findPostgresBin()
  return {
    ...(chromium === undefined ? {} : { ORRERY_CHROMIUM: chromium }),
    ...(postgres === undefined ? {} : { ORRERY_POSTGRES_BIN: postgres }),
  }
}

/** The folder with PostgreSQL's server programs; Debian keeps one for each version, off PATH. */
function findPostgresBin() {
  const onPath = listOnPath('initdb')[0]
  if (onPath !== undefined) return dirname(onPath)
  return listVersions()
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(postgresRoot, version, 'bin'))
    .find((dir) => isExecutable(join(dir, 'initdb')))
}

function listVersions() {
  try {
    return readdirSync(postgresRoot)
  } catch {
    return []
  }
}
