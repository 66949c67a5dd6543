import type { ErrorCode } from './errors.ts'

/** Why the last start of a server failed, in words a user can act on. */
export interface SpawnFailure {
  readonly code: ErrorCode
  readonly status: number
  readonly message: string
  readonly htmlMessage?: string
  readonly at: Date
}

/** A server's life. Source of the four states: `docs/architecture.md`, "Life of a server". */
export type ServerState =
  | { readonly kind: 'stopped'; readonly lastFailure?: SpawnFailure }
  | { readonly kind: 'spawning'; readonly since: Date }
  | { readonly kind: 'ready'; readonly startedAt: Date; readonly target: URL }
  | { readonly kind: 'stopping'; readonly since: Date }

export type ServerStateKind = ServerState['kind']

/** Which states an action may start from. API, pages and reconciler all ask this table. */
export const serverCan = {
  start: ['stopped'],
  stop: ['spawning', 'ready'], // stopping a pending spawn cancels it
  edit: ['stopped'],
  remove: ['stopped', 'spawning', 'ready', 'stopping'],
} as const satisfies Record<string, readonly ServerStateKind[]>

export type ServerAction = keyof typeof serverCan

export function canServer(action: ServerAction, state: ServerStateKind): boolean {
  const from: readonly ServerStateKind[] = serverCan[action]
  return from.includes(state)
}

/** The transitions that storage accepts; anything else is our own bug. */
export const serverTransitions = {
  stopped: ['spawning'],
  spawning: ['ready', 'stopped', 'stopping'],
  ready: ['stopping', 'stopped'],
  stopping: ['stopped'],
} as const satisfies Record<ServerStateKind, readonly ServerStateKind[]>

export function isServerTransition(from: ServerStateKind, to: ServerStateKind): boolean {
  const next: readonly ServerStateKind[] = serverTransitions[from]
  return next.includes(to)
}

/** `pending` on the wire. Source: JupyterHub 6.0 rest-api.yml, `Server.pending`. */
export const wirePending = {
  stopped: null,
  spawning: 'spawn',
  ready: null,
  stopping: 'stop',
} as const satisfies Record<ServerStateKind, 'spawn' | 'stop' | null>
