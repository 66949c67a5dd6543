import { findServiceProblem, type ServiceDefinition } from '../../domain/service-definition.ts'
import type { JsonObject } from '../../util/json.ts'
import { type Codec, ValueMismatch } from '../codec.ts'
import { boolean, integer, text } from '../codecs.ts'
import {
  command,
  jsonObject,
  listOf,
  mapOf,
  optional,
  required,
  stringList,
  struct,
} from '../codecs-lists.ts'
import { environmentValue } from './environment-value.ts'

/** A day: longer waits for a service that does not answer make no sense. */
const maxTimeoutSeconds = 86_400

/** Source: contract single-user-and-services §10.1. */
const fields = struct({
  name: required(text),
  admin: optional(boolean),
  url: optional(text),
  api_token: optional(text),
  command: optional(command),
  cwd: optional(text),
  environment: optional(mapOf(environmentValue)),
  user: optional(text),
  timeout: optional(integer({ min: 0, max: maxTimeoutSeconds })),
  info: optional(jsonObject),
  display: optional(boolean),
  oauth_client_id: optional(text),
  oauth_redirect_uri: optional(text),
  oauth_no_confirm: optional(boolean),
  oauth_client_allowed_scopes: optional(stringList),
  oauth_roles: optional(stringList),
})

/** A configured service: its definition, and how the hub runs it if it has a command. */
export interface ServiceOption extends ServiceDefinition {
  readonly oauthRoles: readonly string[]
  /** `''` is the hub's working folder, or the home of `user`. */
  readonly cwd: string
  readonly environment: Readonly<Record<string, string>>
  /** System user to run it as; `''` is the hub's own. */
  readonly user: string
  /** How long it may take until it answers. */
  readonly timeoutMs: number
}

const defaultTimeoutSeconds = 30

const service: Codec<ServiceOption> = {
  ...fields,
  decode(value, context) {
    const option = toOption(fields.decode(value, context))
    const problem = findServiceProblem(option)
    if (problem !== undefined) throw new ValueMismatch(problem)
    if (option.oauthRoles.length > 0) {
      context.warn("'oauth_roles' is deprecated; 'oauth_client_allowed_scopes' names the scopes.")
    }
    return option
  },
}

/** Names and OAuth clients are there once each. */
export const services: Codec<readonly ServiceOption[]> = {
  ...listOf(service),
  decode(value, context) {
    const list = listOf(service).decode(value, context)
    const names = new Set<string>()
    for (const { name } of list) {
      if (names.has(name)) throw new ValueMismatch(`the service '${name}' is there twice.`)
      names.add(name)
    }
    return list
  },
}

function toOption(given: ReturnType<typeof fields.decode>): ServiceOption {
  return Object.freeze({
    name: given.name,
    admin: given.admin ?? false,
    url: given.url ?? '',
    apiToken: given.apiToken || undefined,
    command: given.command ?? [],
    cwd: given.cwd ?? '',
    environment: given.environment ?? {},
    user: given.user ?? '',
    timeoutMs: (given.timeout ?? defaultTimeoutSeconds) * 1000,
    info: (given.info ?? {}) as JsonObject, // the codec lets JSON pass only
    display: given.display ?? true,
    oauthClientId: given.oauthClientId || undefined,
    oauthRedirectUri: given.oauthRedirectUri || undefined,
    oauthNoConfirm: given.oauthNoConfirm ?? false,
    oauthClientAllowedScopes: given.oauthClientAllowedScopes ?? [],
    oauthRoles: given.oauthRoles ?? [],
  })
}
