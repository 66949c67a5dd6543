import type { Assignment } from '../assignment.ts'

export type Environment = Readonly<Record<string, string | undefined>>

interface Variable {
  readonly variable: string
  readonly section: string
  readonly name: string
  readonly split?: string
}

/** Used where no file says otherwise. Source: contract cli-metrics-events §6 and §9. */
const fallbacks: readonly Variable[] = [
  { variable: 'JPY_COOKIE_SECRET', section: 'JupyterHub', name: 'cookie_secret' },
  { variable: 'CONFIGPROXY_AUTH_TOKEN', section: 'ConfigurableHTTPProxy', name: 'auth_token' },
  { variable: 'JUPYTERHUB_CRYPT_KEY', section: 'CryptKeeper', name: 'keys', split: ';' },
]

/** Stronger than any file. */
const overrides: readonly Variable[] = [
  { variable: 'ORRERY_DATA_DIR', section: 'Orrery', name: 'data_dir' },
]

/** Values from the environment: those that files may replace, and those that replace the files'. */
export function readEnvironment(environment: Environment): {
  readonly fallbacks: readonly Assignment[]
  readonly overrides: readonly Assignment[]
} {
  return { fallbacks: read(fallbacks, environment), overrides: read(overrides, environment) }
}

/** An empty variable counts as one that is not set. */
function read(variables: readonly Variable[], environment: Environment): readonly Assignment[] {
  return variables.flatMap(({ variable, section, name, split }) => {
    const text = environment[variable]
    if (text === undefined || text === '') return []
    const value = split === undefined ? text : text.split(split)
    return [{ section, name, value, origin: { kind: 'environment', variable } }]
  })
}
