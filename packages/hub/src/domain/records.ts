import type { JsonObject } from '../util/json.ts'
import type { ServerState } from './server-state.ts'

/** A person. `id` is stable: a rename changes `name` only. */
export interface User {
  readonly id: number
  readonly name: string
  readonly admin: boolean
  readonly createdAt: Date
  /** `null` until the first activity. */
  readonly lastActivityAt: Date | null
  /** May not sign in, and whatever acts in the user's name is refused. */
  readonly disabled: boolean
  /** Content of the login cookie; replaced to end every browser session of the user. */
  readonly cookieId: string
  /** Profile from the authenticator. */
  readonly userInfo: JsonObject | null
}

/** One of a user's servers, running or not. */
export interface Server {
  readonly id: number
  readonly userId: number
  readonly username: string
  /** `''` is the default server. */
  readonly name: string
  readonly displayName: string | null
  readonly state: ServerState
  /** Counts every change of the row; guards against two writers. */
  readonly version: number
  /** Identifies the current or last start; `null` before the first. */
  readonly runId: string | null
  readonly startedAt: Date | null
  readonly lastActivityAt: Date | null
  readonly createdAt: Date
  readonly userOptions: JsonObject | null
  readonly spawnerId: string | null
  /** What the spawner needs to find the server again; `null` when nothing can be running. */
  readonly spawnerState: JsonObject | null
  /** What the server that last became ready said of its `jupyterhub` package; `null` for nothing. */
  readonly jupyterhubVersion: string | null
}

export type OperationKind = 'spawn' | 'stop'
export type OperationState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled'

/** Steps of an operation, stored so that another hub can go on from there. */
export type OperationStep =
  | 'requested'
  | 'prepared'
  | 'started'
  | 'responding'
  | 'routed'
  | 'unrouted'
  | 'ended'

/** One transition of a server's life that takes time. */
export interface Operation {
  readonly id: number
  readonly serverId: number
  readonly userId: number
  readonly kind: OperationKind
  readonly state: OperationState
  readonly step: OperationStep
  readonly request: JsonObject
  /** Hub that works on it; meaningful while `leaseExpiresAt` is in the future. */
  readonly owner: string | null
  readonly leaseExpiresAt: Date | null
  readonly deadlineAt: Date | null
  readonly attempt: number
  readonly cancelRequested: boolean
  readonly createdAt: Date
  readonly finishedAt: Date | null
}

/** Who owns a token: exactly one user or service. */
export type TokenOwner =
  | { readonly kind: 'user'; readonly id: number; readonly name: string }
  | { readonly kind: 'service'; readonly id: number; readonly name: string }

/** An API token or OAuth access token; only a hash of its value is kept. */
export interface Token {
  /** `a<id>` on the wire. */
  readonly id: number
  readonly owner: TokenOwner
  /** `jupyterhub` for API tokens, else the OAuth client that it was issued to. */
  readonly clientId: string
  readonly clientDescription: string
  /** Browser session of OAuth tokens: logging out deletes them. */
  readonly sessionId: string | null
  readonly note: string
  /** As requested, not expanded. */
  readonly scopes: readonly string[]
  readonly createdAt: Date
  readonly expiresAt: Date | null
  readonly lastActivityAt: Date | null
}

export interface OAuthClient {
  readonly id: string
  readonly description: string
  /** Hash of the secret; `''` makes the client unusable. */
  readonly secretHash: string
  readonly redirectUri: string
  readonly allowedScopes: readonly string[]
  readonly serverId: number | null
  readonly serviceId: number | null
}

export interface OAuthCode {
  readonly clientId: string
  readonly userId: number
  readonly redirectUri: string
  readonly sessionId: string
  readonly scopes: readonly string[]
  readonly codeChallenge: string | null
  readonly codeChallengeMethod: 'S256' | 'plain' | null
  /** Of an OpenID Connect request, for the ID token. */
  readonly nonce: string | null
  /** When the user proved who they are in this session. */
  readonly signedInAt: Date | null
  readonly expiresAt: Date
}

export interface Role {
  readonly id: number
  readonly name: string
  readonly description: string
  readonly scopes: readonly string[]
}

export interface Group {
  readonly id: number
  readonly name: string
  readonly properties: JsonObject
}

export interface Service {
  readonly id: number
  readonly name: string
  readonly admin: boolean
  readonly url: string
  readonly info: JsonObject
  /** Whether pages link to it. */
  readonly display: boolean
  /** Defined by the configuration: the API cannot change it. */
  readonly fromConfig: boolean
  /** Empty for a service that somebody else runs. */
  readonly command: readonly string[]
  /** Its visitors are not asked before it learns who they are. */
  readonly oauthNoConfirm: boolean
}

/** A run of a service that the hub runs: what it takes to find its process again. */
export interface ServiceRun {
  /** Of the service, which may be gone. */
  readonly name: string
  readonly runId: string
  /** Of the definition it was started from; tells whether a running one is still the right one. */
  readonly fingerprint: string
  /** The spawner's. */
  readonly state: JsonObject
  readonly startedAt: Date
}

/** A server as those see it with whom it is shared. */
export interface SharedServer {
  readonly id: number
  readonly ownerId: number
  readonly ownerName: string
  /** `''` is the default server. */
  readonly name: string
  readonly ready: boolean
}

/** A user or group that something is shared with. */
export interface ShareRecipient {
  readonly kind: 'user' | 'group'
  readonly id: number
  readonly name: string
}

/** What one user or group may do to one server of somebody else. */
export interface Share {
  readonly id: number
  readonly server: SharedServer
  readonly recipient: ShareRecipient
  /** Names of scopes, sorted, without the filter to the server that each of them has. */
  readonly scopes: readonly string[]
  readonly createdAt: Date
}

/** Something that its holder may turn into a {@link Share}; only a hash of the code is kept. */
export interface ShareCode {
  readonly id: number
  readonly server: SharedServer
  /** As those of a {@link Share}. */
  readonly scopes: readonly string[]
  readonly createdAt: Date
  readonly expiresAt: Date
  readonly exchangeCount: number
  readonly lastExchangedAt: Date | null
}

/** A route as the edge is told of it. `seq` grows with every change of the table. */
export interface StoredRoute {
  readonly routespec: string
  readonly target: string
  readonly data: JsonObject
  readonly seq: number
  readonly deleted: boolean
}
