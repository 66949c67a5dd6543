import type { Operation } from '../domain/records.ts'
import type { Dispatcher } from 'undici'
import type { ServerCertificate, Spawner } from '../plugin-api/spawner.ts'
import type { OperationHold } from '../storage/operations.ts'
import type { LifecycleObserver } from './observer.ts'
import type { RequestContext } from './requests.ts'

/** Edges that take routes from the store. */
export interface Edges {
  /** Resolves when every connected edge has applied the change with this number, or time is up. */
  untilApplied(seq: number, timeoutMs: number): Promise<boolean>
}

export interface LifecycleLogger {
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

/** Points in the work of an operation after which something is committed or running. */
export type WorkPoint =
  | 'spawn claimed'
  | 'spawn prepared'
  | 'spawn started'
  | 'spawn responding'
  | 'spawn routed'
  | 'spawn ready'
  | 'stop claimed'
  | 'stop unrouted'
  | 'stop ended'
  | 'stop committed'
  | 'service prepared'
  | 'service started'

/** Internal TLS, as servers and services need it. */
export interface ServerTls {
  /**
   * A new key and certificate of a server or service.
   * @param names - `DNS:host` or `IP:address`, besides those that are configured.
   */
  issue(owner: string, names: readonly string[]): Promise<ServerCertificate>
  /** Shows servers the hub's own certificate. */
  dispatcher(): Dispatcher
}

/** What the work on operations is given. */
export interface WorkContext extends RequestContext {
  /** The spawner that new servers are started with. */
  readonly spawnerId: string
  /** Spawner by id; an older id may be stored with a server that still runs. */
  readonly spawnerOf: (id: string) => Spawner
  readonly edges: Edges
  readonly logger: LifecycleLogger
  /** Servers speak HTTPS. */
  readonly tls?: ServerTls
  /** Told how long things took. */
  readonly observe?: LifecycleObserver
  /** Told of every point that is passed, for tests that crash there. */
  readonly passed?: (point: WorkPoint, serverName: string) => void
}

/** One operation that this hub holds the lease of. */
export interface Work {
  readonly operation: Operation
  readonly hold: OperationHold
  /** Aborts when the operation is cancelled, the lease is lost, or the hub ends. */
  readonly signal: AbortSignal
}

/** The lease went to another hub: whatever is half done is now its business. */
export class LeaseLost extends Error {
  constructor(operationId: number) {
    super(`operation ${operationId} was taken over by another hub`)
    this.name = 'LeaseLost'
  }
}

/** Somebody stopped the server while it was starting. */
export class SpawnCancelled extends Error {
  constructor() {
    super('Spawn cancelled')
    this.name = 'SpawnCancelled'
  }
}

/** The hub is ending; the next one goes on. */
export class HubEnding extends Error {
  constructor() {
    super('the hub is ending')
    this.name = 'HubEnding'
  }
}
