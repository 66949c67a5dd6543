import type { ServiceDefinition } from '../domain/service-definition.ts'
import type { Place } from '../domain/urls.ts'
import type { LocalProcessOptions } from '../spawners/local-process/options.ts'

/** A service that the hub runs, as configured. */
export interface ManagedService extends ServiceDefinition {
  /** `''` is the hub's working folder, or the home of `user`. */
  readonly cwd: string
  readonly environment: Readonly<Record<string, string>>
  /** System user to run it as; `''` is the hub's own. */
  readonly user: string
  /** How long it may take until it answers before that is reported. */
  readonly timeoutMs: number
}

export interface ServiceSettings extends Place {
  /** `http://host:port/hub/api`, as programs on this machine reach it. */
  readonly hubApiUrl: string
  /** `''` is unknown. */
  readonly publicUrl: string
  readonly cookieSecret: Buffer
  /** All configured services, also those that somebody else runs. */
  readonly services: readonly ManagedService[]
  readonly process: LocalProcessOptions
  /** 0 is for none. */
  readonly checkIntervalMs: number
}

export interface ServiceLogger {
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}
