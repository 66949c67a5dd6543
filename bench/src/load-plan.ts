/** What the load client is to do; it goes over a channel as JSON. */
export interface LoadPlan {
  readonly port: number
  /** The whole request or message, as it goes over the wire, but for `fillBytes` after it. */
  readonly request: string
  readonly fillBytes?: number
  /** Sent first on each connection and answered by a head with status 101. */
  readonly upgrade?: string
  /** Of the body of an answer; of the whole answer on an upgraded connection. */
  readonly answerBytes: number
  readonly connections: number
  readonly durationMs: number
  /** Begun at a constant rate whatever the server does; without it each connection asks again once it is answered. */
  readonly ratePerSecond?: number
}

/** Latencies are in milliseconds from when a request was due, so that a server that stalls cannot hide it. */
export interface LoadResult {
  readonly completed: number
  readonly failed: number
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly maxMs: number
}
