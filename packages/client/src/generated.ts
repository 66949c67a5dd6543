// Made from openapi/hub.v1.json by `npm run generate`; changes here are lost.

/** What JSON can hold, where the API leaves the content to somebody else. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json
}

/** At least one of the two; values only move forward. */
export interface Activity {
  /** Last activity of the user. */
  readonly last_activity?: string | null | undefined
  /** Last activity of servers, by name. */
  readonly servers?: { readonly [key: string]: {
    readonly last_activity: string
  } } | null | undefined
}

export interface CreateService {
  /** Ignored: the path has the name. */
  readonly name?: string | undefined
  /** Give it the role admin. */
  readonly admin?: boolean | undefined
  /** Gives it pages below `/services/NAME/`. */
  readonly url?: string | undefined
  /** Token it speaks to the hub with, 8 characters at least. */
  readonly api_token?: string | undefined
  /** `service-NAME` when left out; must begin with `service-`. */
  readonly oauth_client_id?: string | undefined
  readonly oauth_redirect_uri?: string | undefined
  /** Do not ask visitors whether it may know who they are. */
  readonly oauth_no_confirm?: boolean | undefined
  /** What its visitors may let it do. */
  readonly oauth_client_allowed_scopes?: readonly string[] | undefined
  readonly info?: JsonObject | undefined
  readonly display?: boolean | undefined
  /** Must be empty: only the configuration has those. */
  readonly command?: readonly string[] | undefined
  /** No effect without a command. */
  readonly cwd?: string | undefined
  readonly environment?: JsonObject | undefined
  /** No effect without a command. */
  readonly user?: string | undefined
}

/** Body of every error. */
export interface ErrorBody {
  /** The HTTP status, again. */
  readonly status: number
  /** Text for people. */
  readonly message: string
}

/** A set of users; keys that the caller may not see are absent. */
export interface Group {
  readonly kind?: 'group' | undefined
  readonly name?: string | undefined
  /** Names of the members. */
  readonly users?: readonly string[] | undefined
  readonly properties?: JsonObject | undefined
  readonly roles?: readonly string[] | undefined
}

/** May be left out. */
export interface GroupCreate {
  /** Names of existing users. */
  readonly users?: readonly string[] | undefined
  readonly name?: string | undefined
  readonly roles?: readonly Json[] | undefined
}

export interface GroupMembers {
  /** Names of existing users. */
  readonly users: readonly string[]
  readonly name?: string | undefined
  readonly roles?: readonly Json[] | undefined
}

/** The users become members of every group. */
export interface GroupsCreate {
  readonly groups: readonly string[]
  /** Names of existing users. */
  readonly users?: readonly string[] | undefined
  readonly name?: string | undefined
  readonly roles?: readonly Json[] | undefined
}

/** The caller, as itself. */
export type Identity = {
  readonly admin?: boolean | undefined
  /** Only for users who may not sign in. */
  readonly disabled?: true | undefined
  /** Profile from the authenticator. */
  readonly user_info?: JsonObject | null | undefined
  /** Directly held roles. */
  readonly roles?: readonly string[] | undefined
  readonly groups?: readonly string[] | undefined
  /** URL of the default server while it is ready. */
  readonly server?: string | null | undefined
  /** Transition under way of the default server. */
  readonly pending?: 'spawn' | 'stop' | 'check' | 'rename' | null | undefined
  /** ISO 8601 in UTC, such as `2026-01-31T12:00:00.123Z`. */
  readonly created?: string | undefined
  readonly last_activity?: string | null | undefined
  /** Needs `admin:auth_state`. */
  readonly auth_state?: JsonObject | null | undefined
  /** Servers by name. */
  readonly servers?: { readonly [key: string]: Server } | undefined
} & {
  readonly kind: 'user' | 'service'
  readonly name: string
  /** null for a login cookie. */
  readonly token_id: string | null
  readonly session_id: string | null
  /** Effective scopes, expanded, sorted. */
  readonly scopes: readonly string[]
}

export interface Info {
  readonly version: string
  /** Version of the Python that servers run with. */
  readonly python: string
  readonly sys_executable: string
  readonly spawner: {
    readonly class: string
    readonly version: string
  }
  readonly authenticator: {
    readonly class: string
    readonly version: string
  }
}

export interface NewShareCode {
  readonly server: SharedServer
  /** Sorted; each is filtered to the server, by the name that it has now. */
  readonly scopes: readonly string[]
  /** `sc_` and a number. */
  readonly id: string
  /** ISO 8601 in UTC, such as `2026-01-31T12:00:00.123Z`. */
  readonly created_at: string
  /** ISO 8601 in UTC, such as `2026-01-31T12:00:00.123Z`. */
  readonly expires_at: string
  /** How often it was accepted. */
  readonly exchange_count: number
  readonly last_exchanged_at: string | null
  /** The secret; it is shown only now. */
  readonly code: string
  /** Path of the page that accepts it. */
  readonly accept_url: string
  /** Absolute URL where one is configured. */
  readonly full_accept_url: string | null
}

export interface NewToken {
  /** Owner, where it is a user. */
  readonly user?: string | undefined
  /** Owner, where it is a service. */
  readonly service?: string | undefined
  /** `a` and a number. */
  readonly id: string
  readonly kind: 'api_token'
  /** Always empty, for older clients. */
  readonly roles: readonly string[]
  /** What the token may do now, expanded. */
  readonly scopes: readonly string[]
  /** ISO 8601 in UTC, such as `2026-01-31T12:00:00.123Z`. */
  readonly created: string
  readonly last_activity: string | null
  /** null: never */
  readonly expires_at: string | null
  readonly note: string
  /** Browser session that it ends with. */
  readonly session_id: string | null
  /** Who it was issued to. */
  readonly oauth_client: string
  /** The secret; it is shown only now. */
  readonly token: string
}

/** The last one has `ready` or `failed`. */
export interface ProgressEvent {
  /** 0 to 100 */
  readonly progress?: number | undefined
  readonly message: string
  readonly html_message?: string | undefined
  readonly ready?: true | undefined
  readonly failed?: true | undefined
  readonly url?: string | undefined
}

export interface ProxyChange {
  /** Where the proxy is; edges need none. */
  readonly api_url?: string | undefined
  /** Secret that the proxy presents. */
  readonly auth_token?: string | undefined
}

/** A route of the hub; `data` names the hub, user and server, or service, with the last activity of a server. */
export interface ProxyRoute {
  /** Path or `host/path`, ending in a slash. */
  readonly routespec: string
  /** `proto://host:port` that requests go to. */
  readonly target: string
  readonly data: JsonObject
}

/** A named set of scopes. */
export interface Role {
  readonly kind: 'role'
  readonly name: string
  readonly description: string
  /** As they were given, not expanded. */
  readonly scopes: readonly string[]
  readonly members: {
    /** Users that hold it directly. */
    readonly users: number
    /** Groups that hold it directly. */
    readonly groups: number
    /** Services that hold it directly. */
    readonly services: number
  }
}

/** One of a user's servers, running or not. */
export interface Server {
  /** Empty for the default server. */
  readonly name: string
  /** Text for people; null on rows older than this field. */
  readonly display_name: string | null
  /** `user/server`, unescaped. */
  readonly full_name: string
  readonly last_activity: string | null
  /** null while stopped */
  readonly started: string | null
  /** The transition under way. */
  readonly pending: 'spawn' | 'stop' | 'check' | 'rename' | null
  /** Accepts traffic; nothing is pending. */
  readonly ready: boolean
  /** Neither ready nor pending. */
  readonly stopped: boolean
  /** Path of the server, ending in a slash. */
  readonly url: string
  /** Options of the last start. */
  readonly user_options: JsonObject | null
  /** Path of the progress stream. */
  readonly progress_url: string
  /** Absolute URL where one is configured. */
  readonly full_url: string | null
  /** Absolute URL where one is configured. */
  readonly full_progress_url: string | null
  /** Needs `admin:server_state`. */
  readonly state?: JsonObject | null | undefined
}

/** At least one change to a stopped server. */
export interface ServerEdit {
  /** New name of the server; null keeps it. */
  readonly name?: string | null | undefined
  /** Empty and null change nothing. */
  readonly display_name?: string | null | undefined
  readonly user_options?: JsonObject | undefined
}

/** What to start. An object with neither key is itself the user options (older clients). */
export interface ServerStart {
  /** For a new named server; empty means its name. */
  readonly display_name?: string | undefined
  /** Options for the spawner; null means those of the last start. */
  readonly user_options?: JsonObject | null | undefined
}

/** How to stop. */
export interface ServerStop {
  /** true also deletes the named server once it has stopped. */
  readonly remove?: Json | undefined
}

/** A program with an identity of its own. */
export interface Service {
  readonly kind?: 'service' | undefined
  readonly name?: string | undefined
  readonly admin?: boolean | undefined
  readonly roles?: readonly string[] | undefined
  /** Where the hub reaches it; empty for none. */
  readonly url?: string | undefined
  /** Path of its pages; empty without `url`. */
  readonly prefix?: string | undefined
  /** Empty unless the hub runs it. */
  readonly command?: readonly string[] | undefined
  /** 0 without a process of the hub. */
  readonly pid?: number | undefined
  readonly info?: JsonObject | undefined
  /** Whether pages link to it. */
  readonly display?: boolean | undefined
}

/** What a user or group may do to a server of somebody else. */
export interface Share {
  readonly server: SharedServer
  /** Sorted; each is filtered to the server, by the name that it has now. */
  readonly scopes: readonly string[]
  readonly user: {
    readonly name: string
  } | null
  readonly group: {
    readonly name: string
  } | null
  readonly kind: 'user' | 'group'
  /** ISO 8601 in UTC, such as `2026-01-31T12:00:00.123Z`. */
  readonly created_at: string
}

/** An invitation; whoever has its code may accept it until it expires. */
export interface ShareCode {
  readonly server: SharedServer
  /** Sorted; each is filtered to the server, by the name that it has now. */
  readonly scopes: readonly string[]
  /** `sc_` and a number. */
  readonly id: string
  /** ISO 8601 in UTC, such as `2026-01-31T12:00:00.123Z`. */
  readonly created_at: string
  /** ISO 8601 in UTC, such as `2026-01-31T12:00:00.123Z`. */
  readonly expires_at: string
  /** How often it was accepted. */
  readonly exchange_count: number
  readonly last_exchanged_at: string | null
}

export interface ShareCodeCreate {
  /** Without any, or only filtered to this very server. None stands for access. */
  readonly scopes?: readonly string[] | null | undefined
  /** Seconds from 60 to 31536000; a day by default. */
  readonly expires_in?: number | string | undefined
}

/** Exactly one of `user` and `group`. */
export interface ShareRequest {
  /** Without any, or only filtered to this very server. None stands for access. */
  readonly scopes?: readonly string[] | null | undefined
  /** Name of a user. */
  readonly user?: string | null | undefined
  /** Name of a group. */
  readonly group?: string | null | undefined
}

export interface SharedServer {
  readonly user: {
    /** Owner of the server. */
    readonly name: string
  }
  /** Empty for the default server. */
  readonly name: string
  /** Path of the server, ending in a slash. */
  readonly url: string
  /** Absolute URL where one is configured. */
  readonly full_url: string | null
  /** Accepts traffic. */
  readonly ready: boolean
}

export interface Shutdown {
  /** Stop the proxy as well; `JupyterHub.cleanup_proxy` when left out. */
  readonly proxy?: boolean | 0 | 1 | undefined
  /** Stop all servers as well; `JupyterHub.cleanup_servers` when left out. */
  readonly servers?: boolean | 0 | 1 | undefined
}

export interface Token {
  /** Owner, where it is a user. */
  readonly user?: string | undefined
  /** Owner, where it is a service. */
  readonly service?: string | undefined
  /** `a` and a number. */
  readonly id: string
  readonly kind: 'api_token'
  /** Always empty, for older clients. */
  readonly roles: readonly string[]
  /** What the token may do now, expanded. */
  readonly scopes: readonly string[]
  /** ISO 8601 in UTC, such as `2026-01-31T12:00:00.123Z`. */
  readonly created: string
  readonly last_activity: string | null
  /** null: never */
  readonly expires_at: string | null
  readonly note: string
  /** Browser session that it ends with. */
  readonly session_id: string | null
  /** Who it was issued to. */
  readonly oauth_client: string
}

/** At most one of `scopes` and `roles`. */
export interface TokenCreate {
  /** What the token is for. */
  readonly note?: Json | undefined
  /** Seconds; null or 0 is as long as the hub allows. */
  readonly expires_in?: number | boolean | null | undefined
  readonly scopes?: readonly string[] | null | undefined
  readonly roles?: readonly string[] | null | undefined
  /** Credentials of a user who has no token yet. */
  readonly auth?: Json | undefined
}

export interface TokenList {
  readonly api_tokens: readonly Token[]
}

/** A person; keys that the caller may not see are absent. */
export interface User {
  readonly kind?: 'user' | undefined
  readonly name?: string | undefined
  readonly admin?: boolean | undefined
  /** Only for users who may not sign in. */
  readonly disabled?: true | undefined
  /** Profile from the authenticator. */
  readonly user_info?: JsonObject | null | undefined
  /** Directly held roles. */
  readonly roles?: readonly string[] | undefined
  readonly groups?: readonly string[] | undefined
  /** URL of the default server while it is ready. */
  readonly server?: string | null | undefined
  /** Transition under way of the default server. */
  readonly pending?: 'spawn' | 'stop' | 'check' | 'rename' | null | undefined
  /** ISO 8601 in UTC, such as `2026-01-31T12:00:00.123Z`. */
  readonly created?: string | undefined
  readonly last_activity?: string | null | undefined
  /** Needs `admin:auth_state`. */
  readonly auth_state?: JsonObject | null | undefined
  /** Servers by name. */
  readonly servers?: { readonly [key: string]: Server } | undefined
}

/** Only `admin` has an effect; the other keys are accepted for older clients. */
export interface UserCreate {
  readonly admin?: boolean | undefined
  readonly name?: string | undefined
  readonly groups?: readonly Json[] | undefined
  readonly roles?: readonly Json[] | undefined
  readonly auth_state?: JsonObject | null | undefined
}

export interface UserEdit {
  readonly name?: string | undefined
  readonly admin?: boolean | undefined
  readonly auth_state?: JsonObject | undefined
  /** true ends sessions, tokens and servers of the user and refuses new ones. Orrery only. */
  readonly disabled?: boolean | undefined
}

export interface UsersCreate {
  readonly admin?: boolean | undefined
  readonly name?: string | undefined
  readonly groups?: readonly Json[] | undefined
  readonly roles?: readonly Json[] | undefined
  readonly auth_state?: JsonObject | null | undefined
  /** Names to create; those that exist are skipped. */
  readonly usernames: readonly string[]
}

export interface Version {
  /** Version of the JupyterHub protocol spoken. */
  readonly version: string
}

/** What each operation takes and answers with; `undefined` is an empty body. */
export interface Operations {
  /** Version of the hub */
  readonly getVersion: {
    readonly params: {}
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 200: Version
    }
  }
  /** What the hub runs with */
  readonly getInfo: {
    readonly params: {}
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 200: Info
    }
  }
  /** The caller */
  readonly whoami: {
    readonly params: {}
    readonly query: {
      /** List stopped servers too; `0` and `false` mean no. */
      readonly include_stopped_servers?: string | undefined
    }
    readonly body: undefined
    readonly answers: {
      readonly 200: Identity
    }
  }
  /** Shut the hub down */
  readonly shutDown: {
    readonly params: {}
    readonly query: {}
    readonly body: Shutdown | undefined
    readonly answers: {
      readonly 202: {
        readonly message: string
      }
    }
  }
  /** List users */
  readonly listUsers: {
    readonly params: {}
    readonly query: {
      /** Index of the first item; 0 by default. */
      readonly offset?: string | undefined
      /** Items per page, at most the configured maximum (200). */
      readonly limit?: string | undefined
      /** List stopped servers too; `0` and `false` mean no. */
      readonly include_stopped_servers?: string | undefined
      /** Users with an active server, with a ready one, or with none active. */
      readonly state?: '' | 'active' | 'ready' | 'inactive' | undefined
      /** Case-insensitive part of the name. */
      readonly name_filter?: string | undefined
      /** `id`, `name` or `last_activity`; with `-` descending. */
      readonly sort?: string | undefined
    }
    readonly body: undefined
    readonly answers: {
      readonly 200: readonly User[] | {
        readonly items: readonly User[]
        readonly _pagination: {
          readonly offset: number
          readonly limit: number
          /** Items of all pages. */
          readonly total: number
          readonly next: {
            readonly offset: number
            readonly limit: number
            readonly url: string
          } | null
        }
      }
    }
  }
  /** Create several users */
  readonly createUsers: {
    readonly params: {}
    readonly query: {}
    readonly body: UsersCreate
    readonly answers: {
      readonly 201: readonly User[]
    }
  }
  /** Get a user */
  readonly getUser: {
    readonly params: {
      /** Name of the user, exactly as stored. */
      readonly name: string
    }
    readonly query: {
      /** List stopped servers too; `0` and `false` mean no. */
      readonly include_stopped_servers?: string | undefined
    }
    readonly body: undefined
    readonly answers: {
      readonly 200: User
    }
  }
  /** Create a user */
  readonly createUser: {
    readonly params: {
      /** Name of the user, exactly as stored. */
      readonly name: string
    }
    readonly query: {}
    readonly body: UserCreate | undefined
    readonly answers: {
      readonly 201: User
    }
  }
  /** Rename a user or change the admin flag */
  readonly updateUser: {
    readonly params: {
      /** Name of the user, exactly as stored. */
      readonly name: string
    }
    readonly query: {}
    readonly body: UserEdit
    readonly answers: {
      readonly 200: User
    }
  }
  /** Delete a user */
  readonly deleteUser: {
    readonly params: {
      /** Name of the user, exactly as stored. */
      readonly name: string
    }
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 204: undefined
    }
  }
  /** Report activity of a user and of servers */
  readonly reportActivity: {
    readonly params: {
      /** Name of the user, exactly as stored. */
      readonly name: string
    }
    readonly query: {}
    readonly body: Activity
    readonly answers: {
      readonly 200: undefined
    }
  }
  /** Ask for access to a user (no effect) */
  readonly grantAdminAccess: {
    readonly params: {
      /** Name of the user, exactly as stored. */
      readonly name: string
    }
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 200: undefined
    }
  }
  /** Get the default server */
  readonly getDefaultServer: {
    readonly params: {
      /** Name of the user, exactly as stored. */
      readonly name: string
    }
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 200: Server
    }
  }
  /** Create the default server without starting it */
  readonly createDefaultServer: {
    readonly params: {
      /** Name of the user, exactly as stored. */
      readonly name: string
    }
    readonly query: {}
    readonly body: ServerStart | undefined
    readonly answers: {
      readonly 201: Server
    }
  }
  /** Start the default server */
  readonly startDefaultServer: {
    readonly params: {
      /** Name of the user, exactly as stored. */
      readonly name: string
    }
    readonly query: {}
    readonly body: ServerStart | undefined
    readonly answers: {
      readonly 201: undefined
      readonly 202: undefined
    }
  }
  /** Rename or edit the default stopped server */
  readonly updateDefaultServer: {
    readonly params: {
      /** Name of the user, exactly as stored. */
      readonly name: string
    }
    readonly query: {}
    readonly body: ServerEdit
    readonly answers: {
      readonly 200: Server
    }
  }
  /** Stop the default server, or cancel its start */
  readonly stopDefaultServer: {
    readonly params: {
      /** Name of the user, exactly as stored. */
      readonly name: string
    }
    readonly query: {}
    readonly body: ServerStop | undefined
    readonly answers: {
      readonly 202: undefined
      readonly 204: undefined
    }
  }
  /** Follow the start of the default server */
  readonly followDefaultServerProgress: {
    readonly params: {
      /** Name of the user, exactly as stored. */
      readonly name: string
    }
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 200: {
        readonly data: string
      }
    }
  }
  /** Get a server */
  readonly getServer: {
    readonly params: {
      /** Name of the user, exactly as stored. */
      readonly name: string
      /** Name of the server. */
      readonly server_name: string
    }
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 200: Server
    }
  }
  /** Create a server without starting it */
  readonly createServer: {
    readonly params: {
      /** Name of the user, exactly as stored. */
      readonly name: string
      /** Name of the server. */
      readonly server_name: string
    }
    readonly query: {}
    readonly body: ServerStart | undefined
    readonly answers: {
      readonly 201: Server
    }
  }
  /** Start a server */
  readonly startServer: {
    readonly params: {
      /** Name of the user, exactly as stored. */
      readonly name: string
      /** Name of the server. */
      readonly server_name: string
    }
    readonly query: {}
    readonly body: ServerStart | undefined
    readonly answers: {
      readonly 201: undefined
      readonly 202: undefined
    }
  }
  /** Rename or edit a stopped server */
  readonly updateServer: {
    readonly params: {
      /** Name of the user, exactly as stored. */
      readonly name: string
      /** Name of the server. */
      readonly server_name: string
    }
    readonly query: {}
    readonly body: ServerEdit
    readonly answers: {
      readonly 200: Server
    }
  }
  /** Stop a server, or cancel its start */
  readonly stopServer: {
    readonly params: {
      /** Name of the user, exactly as stored. */
      readonly name: string
      /** Name of the server. */
      readonly server_name: string
    }
    readonly query: {}
    readonly body: ServerStop | undefined
    readonly answers: {
      readonly 202: undefined
      readonly 204: undefined
    }
  }
  /** Follow the start of a server */
  readonly followServerProgress: {
    readonly params: {
      /** Name of the user, exactly as stored. */
      readonly name: string
      /** Name of the server. */
      readonly server_name: string
    }
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 200: {
        readonly data: string
      }
    }
  }
  /** List a user's tokens */
  readonly listTokens: {
    readonly params: {
      /** Name of the user, exactly as stored. */
      readonly name: string
    }
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 200: TokenList
    }
  }
  /** Create a token for a user */
  readonly createToken: {
    readonly params: {
      /** Name of the user, exactly as stored. */
      readonly name: string
    }
    readonly query: {}
    readonly body: TokenCreate | undefined
    readonly answers: {
      readonly 201: NewToken
    }
  }
  /** Get a token */
  readonly getToken: {
    readonly params: {
      /** Name of the owner. */
      readonly name: string
      /** `a` and a number. */
      readonly token_id: string
    }
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 200: Token
    }
  }
  /** Revoke a token */
  readonly deleteToken: {
    readonly params: {
      /** Name of the owner. */
      readonly name: string
      /** `a` and a number. */
      readonly token_id: string
    }
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 204: undefined
    }
  }
  /** List services */
  readonly listServices: {
    readonly params: {}
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 200: { readonly [key: string]: Service }
    }
  }
  /** Get a service */
  readonly getService: {
    readonly params: {
      /** Name of the service. */
      readonly name: string
    }
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 200: Service
    }
  }
  /** Add a service that runs elsewhere */
  readonly createService: {
    readonly params: {
      /** Name of the service. */
      readonly name: string
    }
    readonly query: {}
    readonly body: CreateService
    readonly answers: {
      readonly 201: Service
    }
  }
  /** Delete a service that was added through the API */
  readonly deleteService: {
    readonly params: {
      /** Name of the service. */
      readonly name: string
    }
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 200: undefined
    }
  }
  /** List groups */
  readonly listGroups: {
    readonly params: {}
    readonly query: {
      /** Index of the first item; 0 by default. */
      readonly offset?: string | undefined
      /** Items per page, at most the configured maximum (200). */
      readonly limit?: string | undefined
    }
    readonly body: undefined
    readonly answers: {
      readonly 200: readonly Group[] | {
        readonly items: readonly Group[]
        readonly _pagination: {
          readonly offset: number
          readonly limit: number
          /** Items of all pages. */
          readonly total: number
          readonly next: {
            readonly offset: number
            readonly limit: number
            readonly url: string
          } | null
        }
      }
    }
  }
  /** Create several groups */
  readonly createGroups: {
    readonly params: {}
    readonly query: {}
    readonly body: GroupsCreate
    readonly answers: {
      readonly 201: readonly Group[]
    }
  }
  /** Get a group */
  readonly getGroup: {
    readonly params: {
      /** Name of the group. */
      readonly name: string
    }
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 200: Group
    }
  }
  /** Create a group */
  readonly createGroup: {
    readonly params: {
      /** Name of the group. */
      readonly name: string
    }
    readonly query: {}
    readonly body: GroupCreate | undefined
    readonly answers: {
      readonly 201: Group
    }
  }
  /** Delete a group */
  readonly deleteGroup: {
    readonly params: {
      /** Name of the group. */
      readonly name: string
    }
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 204: undefined
    }
  }
  /** Add users to a group */
  readonly addGroupUsers: {
    readonly params: {
      /** Name of the group. */
      readonly name: string
    }
    readonly query: {}
    readonly body: GroupMembers
    readonly answers: {
      readonly 200: Group
    }
  }
  /** Remove users from a group */
  readonly removeGroupUsers: {
    readonly params: {
      /** Name of the group. */
      readonly name: string
    }
    readonly query: {}
    readonly body: GroupMembers
    readonly answers: {
      readonly 200: Group
    }
  }
  /** Replace the properties of a group */
  readonly setGroupProperties: {
    readonly params: {
      /** Name of the group. */
      readonly name: string
    }
    readonly query: {}
    readonly body: JsonObject
    readonly answers: {
      readonly 200: Group
    }
  }
  /** List roles */
  readonly listRoles: {
    readonly params: {}
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 200: readonly Role[]
    }
  }
  /** Get a role */
  readonly getRole: {
    readonly params: {
      /** Name of the role. */
      readonly name: string
    }
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 200: Role
    }
  }
  /** List the shares of all servers of a user */
  readonly listSharesOfOwner: {
    readonly params: {
      /** Name of the owner of the servers. */
      readonly name: string
    }
    readonly query: {
      /** Index of the first item; 0 by default. */
      readonly offset?: string | undefined
      /** Items per page, at most the configured maximum (200). */
      readonly limit?: string | undefined
    }
    readonly body: undefined
    readonly answers: {
      readonly 200: {
        readonly items: readonly Share[]
        readonly _pagination: {
          readonly offset: number
          readonly limit: number
          /** Items of all pages. */
          readonly total: number
          readonly next: {
            readonly offset: number
            readonly limit: number
            readonly url: string
          } | null
        }
      }
    }
  }
  /** List with whom a server is shared */
  readonly listShares: {
    readonly params: {
      /** Name of the owner of the servers. */
      readonly name: string
      /** Name of the server. */
      readonly server_name: string
    }
    readonly query: {
      /** Index of the first item; 0 by default. */
      readonly offset?: string | undefined
      /** Items per page, at most the configured maximum (200). */
      readonly limit?: string | undefined
    }
    readonly body: undefined
    readonly answers: {
      readonly 200: {
        readonly items: readonly Share[]
        readonly _pagination: {
          readonly offset: number
          readonly limit: number
          /** Items of all pages. */
          readonly total: number
          readonly next: {
            readonly offset: number
            readonly limit: number
            readonly url: string
          } | null
        }
      }
    }
  }
  /** Share a server with a user or group */
  readonly share: {
    readonly params: {
      /** Name of the owner of the servers. */
      readonly name: string
      /** Name of the server. */
      readonly server_name: string
    }
    readonly query: {}
    readonly body: ShareRequest | undefined
    readonly answers: {
      readonly 200: Share
    }
  }
  /** Take a server back from a user or group */
  readonly revokeShare: {
    readonly params: {
      /** Name of the owner of the servers. */
      readonly name: string
      /** Name of the server. */
      readonly server_name: string
    }
    readonly query: {}
    readonly body: ShareRequest | undefined
    readonly answers: {
      readonly 200: Share | {}
    }
  }
  /** Take a server back from everybody */
  readonly revokeShares: {
    readonly params: {
      /** Name of the owner of the servers. */
      readonly name: string
      /** Name of the server. */
      readonly server_name: string
    }
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 204: undefined
    }
  }
  /** List what is shared with a user */
  readonly listSharesWithUser: {
    readonly params: {
      /** Name of the user or group, exactly as stored. */
      readonly name: string
    }
    readonly query: {
      /** Index of the first item; 0 by default. */
      readonly offset?: string | undefined
      /** Items per page, at most the configured maximum (200). */
      readonly limit?: string | undefined
    }
    readonly body: undefined
    readonly answers: {
      readonly 200: {
        readonly items: readonly Share[]
        readonly _pagination: {
          readonly offset: number
          readonly limit: number
          /** Items of all pages. */
          readonly total: number
          readonly next: {
            readonly offset: number
            readonly limit: number
            readonly url: string
          } | null
        }
      }
    }
  }
  /** Get what is shared of a server with a user */
  readonly getShareWithUser: {
    readonly params: {
      /** Name of the user or group, exactly as stored. */
      readonly name: string
      /** Name of the owner of the server. */
      readonly owner: string
      /** Name of the server. */
      readonly server_name: string
    }
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 200: Share
    }
  }
  /** Give up what is shared of a server with a user */
  readonly leaveShareWithUser: {
    readonly params: {
      /** Name of the user or group, exactly as stored. */
      readonly name: string
      /** Name of the owner of the server. */
      readonly owner: string
      /** Name of the server. */
      readonly server_name: string
    }
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 204: undefined
    }
  }
  /** List what is shared with a group */
  readonly listSharesWithGroup: {
    readonly params: {
      /** Name of the user or group, exactly as stored. */
      readonly name: string
    }
    readonly query: {
      /** Index of the first item; 0 by default. */
      readonly offset?: string | undefined
      /** Items per page, at most the configured maximum (200). */
      readonly limit?: string | undefined
    }
    readonly body: undefined
    readonly answers: {
      readonly 200: {
        readonly items: readonly Share[]
        readonly _pagination: {
          readonly offset: number
          readonly limit: number
          /** Items of all pages. */
          readonly total: number
          readonly next: {
            readonly offset: number
            readonly limit: number
            readonly url: string
          } | null
        }
      }
    }
  }
  /** Get what is shared of a server with a group */
  readonly getShareWithGroup: {
    readonly params: {
      /** Name of the user or group, exactly as stored. */
      readonly name: string
      /** Name of the owner of the server. */
      readonly owner: string
      /** Name of the server. */
      readonly server_name: string
    }
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 200: Share
    }
  }
  /** Give up what is shared of a server with a group */
  readonly leaveShareWithGroup: {
    readonly params: {
      /** Name of the user or group, exactly as stored. */
      readonly name: string
      /** Name of the owner of the server. */
      readonly owner: string
      /** Name of the server. */
      readonly server_name: string
    }
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 204: undefined
    }
  }
  /** List the share codes of all servers of a user */
  readonly listShareCodesOfOwner: {
    readonly params: {
      /** Name of the owner of the servers. */
      readonly name: string
    }
    readonly query: {
      /** Index of the first item; 0 by default. */
      readonly offset?: string | undefined
      /** Items per page, at most the configured maximum (200). */
      readonly limit?: string | undefined
    }
    readonly body: undefined
    readonly answers: {
      readonly 200: {
        readonly items: readonly ShareCode[]
        readonly _pagination: {
          readonly offset: number
          readonly limit: number
          /** Items of all pages. */
          readonly total: number
          readonly next: {
            readonly offset: number
            readonly limit: number
            readonly url: string
          } | null
        }
      }
    }
  }
  /** List the share codes of a server */
  readonly listShareCodes: {
    readonly params: {
      /** Name of the owner of the servers. */
      readonly name: string
      /** Name of the server. */
      readonly server_name: string
    }
    readonly query: {
      /** Index of the first item; 0 by default. */
      readonly offset?: string | undefined
      /** Items per page, at most the configured maximum (200). */
      readonly limit?: string | undefined
    }
    readonly body: undefined
    readonly answers: {
      readonly 200: {
        readonly items: readonly ShareCode[]
        readonly _pagination: {
          readonly offset: number
          readonly limit: number
          /** Items of all pages. */
          readonly total: number
          readonly next: {
            readonly offset: number
            readonly limit: number
            readonly url: string
          } | null
        }
      }
    }
  }
  /** Create a code that shares a server */
  readonly createShareCode: {
    readonly params: {
      /** Name of the owner of the servers. */
      readonly name: string
      /** Name of the server. */
      readonly server_name: string
    }
    readonly query: {}
    readonly body: ShareCodeCreate | undefined
    readonly answers: {
      readonly 200: NewShareCode
    }
  }
  /** Delete one or all share codes of a server */
  readonly deleteShareCodes: {
    readonly params: {
      /** Name of the owner of the servers. */
      readonly name: string
      /** Name of the server. */
      readonly server_name: string
    }
    readonly query: {
      /** Delete the code with this value. */
      readonly code?: string | undefined
      /** Delete the code with this id: `sc_` and a number. */
      readonly id?: string | undefined
    }
    readonly body: undefined
    readonly answers: {
      readonly 204: undefined
    }
  }
  /** Read the routing table */
  readonly getProxyRoutes: {
    readonly params: {}
    readonly query: {
      /** Index of the first item; 0 by default. */
      readonly offset?: string | undefined
      /** Items per page, at most the configured maximum (200). */
      readonly limit?: string | undefined
    }
    readonly body: undefined
    readonly answers: {
      readonly 200: { readonly [key: string]: ProxyRoute } | {
        /** Routes by routespec. */
        readonly items: { readonly [key: string]: ProxyRoute }
        readonly _pagination: {
          readonly offset: number
          readonly limit: number
          /** Items of all pages. */
          readonly total: number
          readonly next: {
            readonly offset: number
            readonly limit: number
            readonly url: string
          } | null
        }
      }
    }
  }
  /** Bring the routing table in line with what runs */
  readonly checkProxyRoutes: {
    readonly params: {}
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 200: undefined
    }
  }
  /** Tell the hub of a new proxy */
  readonly changeProxy: {
    readonly params: {}
    readonly query: {}
    readonly body: ProxyChange
    readonly answers: {
      readonly 200: undefined
    }
  }
  /** Whose token it is */
  readonly resolveToken: {
    readonly params: {
      readonly token: string
    }
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 200: User | Service
    }
  }
  /** Whose login cookie it is */
  readonly resolveCookieInBody: {
    readonly params: {
      readonly cookie_name: string
    }
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 200: User
    }
  }
  /** Whose login cookie it is */
  readonly resolveCookie: {
    readonly params: {
      readonly cookie_name: string
      readonly cookie_value: string
    }
    readonly query: {}
    readonly body: undefined
    readonly answers: {
      readonly 200: User
    }
  }
}

/** Method and path of each operation. */
export const operations = {
  getVersion: { method: 'GET', path: '/' },
  getInfo: { method: 'GET', path: '/info' },
  whoami: { method: 'GET', path: '/user' },
  shutDown: { method: 'POST', path: '/shutdown' },
  listUsers: { method: 'GET', path: '/users' },
  createUsers: { method: 'POST', path: '/users' },
  getUser: { method: 'GET', path: '/users/{name}' },
  createUser: { method: 'POST', path: '/users/{name}' },
  updateUser: { method: 'PATCH', path: '/users/{name}' },
  deleteUser: { method: 'DELETE', path: '/users/{name}' },
  reportActivity: { method: 'POST', path: '/users/{name}/activity' },
  grantAdminAccess: { method: 'POST', path: '/users/{name}/admin-access' },
  getDefaultServer: { method: 'GET', path: '/users/{name}/server' },
  createDefaultServer: { method: 'PUT', path: '/users/{name}/server' },
  startDefaultServer: { method: 'POST', path: '/users/{name}/server' },
  updateDefaultServer: { method: 'PATCH', path: '/users/{name}/server' },
  stopDefaultServer: { method: 'DELETE', path: '/users/{name}/server' },
  followDefaultServerProgress: { method: 'GET', path: '/users/{name}/server/progress' },
  getServer: { method: 'GET', path: '/users/{name}/servers/{server_name}' },
  createServer: { method: 'PUT', path: '/users/{name}/servers/{server_name}' },
  startServer: { method: 'POST', path: '/users/{name}/servers/{server_name}' },
  updateServer: { method: 'PATCH', path: '/users/{name}/servers/{server_name}' },
  stopServer: { method: 'DELETE', path: '/users/{name}/servers/{server_name}' },
  followServerProgress: { method: 'GET', path: '/users/{name}/servers/{server_name}/progress' },
  listTokens: { method: 'GET', path: '/users/{name}/tokens' },
  createToken: { method: 'POST', path: '/users/{name}/tokens' },
  getToken: { method: 'GET', path: '/users/{name}/tokens/{token_id}' },
  deleteToken: { method: 'DELETE', path: '/users/{name}/tokens/{token_id}' },
  listServices: { method: 'GET', path: '/services' },
  getService: { method: 'GET', path: '/services/{name}' },
  createService: { method: 'POST', path: '/services/{name}' },
  deleteService: { method: 'DELETE', path: '/services/{name}' },
  listGroups: { method: 'GET', path: '/groups' },
  createGroups: { method: 'POST', path: '/groups' },
  getGroup: { method: 'GET', path: '/groups/{name}' },
  createGroup: { method: 'POST', path: '/groups/{name}' },
  deleteGroup: { method: 'DELETE', path: '/groups/{name}' },
  addGroupUsers: { method: 'POST', path: '/groups/{name}/users' },
  removeGroupUsers: { method: 'DELETE', path: '/groups/{name}/users' },
  setGroupProperties: { method: 'PUT', path: '/groups/{name}/properties' },
  listRoles: { method: 'GET', path: '/roles' },
  getRole: { method: 'GET', path: '/roles/{name}' },
  listSharesOfOwner: { method: 'GET', path: '/shares/{name}' },
  listShares: { method: 'GET', path: '/shares/{name}/{server_name}' },
  share: { method: 'POST', path: '/shares/{name}/{server_name}' },
  revokeShare: { method: 'PATCH', path: '/shares/{name}/{server_name}' },
  revokeShares: { method: 'DELETE', path: '/shares/{name}/{server_name}' },
  listSharesWithUser: { method: 'GET', path: '/users/{name}/shared' },
  getShareWithUser: { method: 'GET', path: '/users/{name}/shared/{owner}/{server_name}' },
  leaveShareWithUser: { method: 'DELETE', path: '/users/{name}/shared/{owner}/{server_name}' },
  listSharesWithGroup: { method: 'GET', path: '/groups/{name}/shared' },
  getShareWithGroup: { method: 'GET', path: '/groups/{name}/shared/{owner}/{server_name}' },
  leaveShareWithGroup: { method: 'DELETE', path: '/groups/{name}/shared/{owner}/{server_name}' },
  listShareCodesOfOwner: { method: 'GET', path: '/share-codes/{name}' },
  listShareCodes: { method: 'GET', path: '/share-codes/{name}/{server_name}' },
  createShareCode: { method: 'POST', path: '/share-codes/{name}/{server_name}' },
  deleteShareCodes: { method: 'DELETE', path: '/share-codes/{name}/{server_name}' },
  getProxyRoutes: { method: 'GET', path: '/proxy' },
  checkProxyRoutes: { method: 'POST', path: '/proxy' },
  changeProxy: { method: 'PATCH', path: '/proxy' },
  resolveToken: { method: 'GET', path: '/authorizations/token/{token}' },
  resolveCookieInBody: { method: 'GET', path: '/authorizations/cookie/{cookie_name}' },
  resolveCookie: { method: 'GET', path: '/authorizations/cookie/{cookie_name}/{cookie_value}' },
} as const satisfies Readonly<Record<keyof Operations, { method: string; path: string }>>
