import type { Place } from '../domain/urls.ts'
import type { ServerLimits } from '../plugin-api/spawner.ts'
import type { JsonObject } from '../util/json.ts'
import type { NamingSettings } from './named-servers.ts'

/** What the life of servers depends on; mapped from the configuration by `main`. */
export interface LifecycleSettings extends NamingSettings, Place {
  /** Where servers reach the hub's API, such as `http://127.0.0.1:8081/hub/api`. */
  readonly hubApiUrl: string
  /** What users type, ending in the base URL; `''` when it is not configured. */
  readonly publicUrl: string
  /** Key material for the tokens that servers run with. */
  readonly cookieSecret: Buffer
  readonly cookieOptions: JsonObject
  readonly cookieHostPrefixEnabled: boolean
  /** Command of the single-user server, with its arguments. */
  readonly command: readonly string[]
  readonly bindIp: string
  /** 0 lets the spawner choose. */
  readonly bindPort: number
  readonly environment: Readonly<Record<string, string>>
  /** Values of the hub's own environment that servers get. */
  readonly keptEnvironment: Readonly<Record<string, string>>
  readonly notebookDir: string
  readonly defaultUrl: string
  readonly debug: boolean
  readonly disableUserConfig: boolean
  readonly limits: ServerLimits
  readonly startTimeoutMs: number
  readonly httpTimeoutMs: number
  /** How long a spawner may take to stop a server before it is asked again. */
  readonly stopTimeoutMs: number
  /** 0 turns polling off. */
  readonly pollIntervalMs: number
  /** Fraction of the interval by which polls are moved at random. */
  readonly pollJitter: number
  readonly serverTokenScopes: readonly string[]
  readonly oauthClientAllowedScopes: readonly string[]
  /** Starts at work at once; 0 is no limit. */
  readonly concurrentSpawnLimit: number
  /** Servers that may be active; 0 is no limit. */
  readonly activeServerLimit: number
  /** Queue starts above the limit; otherwise refuse them, as JupyterHub does. */
  readonly queueSpawns: boolean
  /** Seconds, for `Retry-After`. */
  readonly throttleRetryRange: readonly [number, number]
}
