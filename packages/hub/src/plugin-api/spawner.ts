import type { TObject } from 'typebox'
import type { JsonObject } from '../util/json.ts'

/** Where the server is to listen. `port` 0 lets the spawner choose. */
export interface BindAddress {
  readonly ip: string
  readonly port: number
}

/** One message for the progress page. */
export interface SpawnProgress {
  /** 0 to 100; may be left out to keep the bar where it is. */
  readonly progress?: number
  readonly message: string
  readonly htmlMessage?: string
}

export interface ServerLimits {
  readonly memLimitBytes?: number
  readonly memGuaranteeBytes?: number
  readonly cpuLimitCores?: number
  readonly cpuGuaranteeCores?: number
}

/** Internal TLS: what a server proves itself with, in PEM. */
export interface ServerCertificate {
  /** Private key: for the server alone. */
  readonly key: string
  readonly cert: string
  /** Authorities whose certificates the server accepts, as a server and as a client. */
  readonly ca: string
}

/** Paths to a {@link ServerCertificate} where the server finds them; only it may read the key. */
export interface CertificatePaths {
  readonly keyPath: string
  readonly certPath: string
  readonly caPath: string
}

/** Everything a spawner is told of the server it is to run. The same after a take-over by another hub. */
export interface SpawnRequest {
  /** Unique for this start; the same again when a hub takes the start over. 32 hex characters. */
  readonly runId: string
  readonly username: string
  /** `''` is the default server. */
  readonly serverName: string
  /** Command and arguments, at least one word. */
  readonly command: readonly string[]
  readonly bind: BindAddress
  /** What the user chose on the spawn form or sent as `user_options`. */
  readonly userOptions: JsonObject
  readonly limits: ServerLimits
  /** The complete environment contract for a server that listens at `bind` (with its real port). */
  environment(bind: BindAddress, certificate?: CertificatePaths): Readonly<Record<string, string>>
  /**
   * Present when servers speak HTTPS (`JupyterHub.internal_ssl`): makes a key and a certificate,
   * other ones with each call. The spawner puts them where the server finds them, passes the paths
   * to `environment`, and starts the server at an `https` target.
   * @param names - further names that the server is reached by: `DNS:host` or `IP:address`.
   */
  issueCertificate?(names: readonly string[]): Promise<ServerCertificate>
  /** Adds a message to the progress page. Never throws, may be called at any time. */
  report(event: SpawnProgress): void
}

/** Result of a start: the address that the proxy and the hub reach the server at. */
export interface Started<State> {
  /** `http://host:port`, no path; `https` when the server was given a certificate. */
  readonly target: URL
  readonly state: State
}

/**
 * Runs the servers of users. The hub owns queues, deadlines, retries and stored state; a spawner
 * sees neither the database nor the server record, and keeps nothing in memory that it cannot
 * find again from `State`. Calls for different servers overlap; calls for one server do not,
 * except `stop`, which may follow an aborted `start` at once.
 */
export interface Spawner<State extends JsonObject = JsonObject> {
  /**
   * Chooses names, ports and folders; starts nothing. The hub stores the result before it calls
   * {@link Spawner.start}, so that whatever `start` leaves behind can be found after a crash.
   */
  prepare(request: SpawnRequest, signal: AbortSignal): Promise<State>
  /**
   * Starts what `state` describes; resolves once the address is known, which may be before the
   * server answers HTTP. Called again with the same state after a crash of the hub: it then adopts
   * what runs already and never runs a second one.
   * Throws `SpawnRefused` for a policy decision, anything else for a failure of the platform.
   */
  start(request: SpawnRequest, state: State, signal: AbortSignal): Promise<Started<State>>
  /**
   * `null` while running, otherwise the exit status (0 when unknown). Throws when it cannot tell:
   * the hub then keeps what it knows, for unknown is never stopped.
   */
  poll(state: State, signal: AbortSignal): Promise<number | null>
  /** Resolves when nothing is left running of `state`. Safe to call again, and when nothing ever ran. */
  stop(state: State, signal: AbortSignal): Promise<void>
  /** Optional: the last lines the server wrote, for the message after a failed start. */
  logTail?(state: State, lines: number): Promise<string>
  /** Optional: forgets the files of a run that is over. Idempotent. */
  forget?(state: State): Promise<void>
}

export interface SpawnerLogger {
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

export interface SpawnerContext<Options> {
  readonly options: Options
  /** Folder for the spawner's own files; exists, mode 0700. */
  readonly dataDir: string
  readonly logger: SpawnerLogger
}

export interface SpawnerDefinition<Options = unknown, State extends JsonObject = JsonObject> {
  /** Short name for `spawner_class`. */
  readonly id: string
  /** Shape of what the hub stores; checked when it is read back. */
  readonly state: TObject
  create(context: SpawnerContext<Options>): Spawner<State>
}

/** Declares a spawner; importing the definition has no side effects. */
export function defineSpawner<Options, State extends JsonObject>(
  definition: SpawnerDefinition<Options, State>,
): SpawnerDefinition<Options, State> {
  return Object.freeze(definition)
}

/** A start that policy forbids. The message is shown to the user; no stack is logged. */
export class SpawnRefused extends Error {
  readonly reason: string
  readonly status: number
  readonly htmlMessage: string | undefined

  constructor(
    message: string,
    options: { reason?: string; status?: number; htmlMessage?: string } = {},
  ) {
    super(message)
    this.name = 'SpawnRefused'
    this.reason = options.reason ?? 'refused'
    this.status = options.status ?? 400
    this.htmlMessage = options.htmlMessage
  }
}
