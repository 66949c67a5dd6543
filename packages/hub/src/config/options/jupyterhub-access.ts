import { authenticatorClass } from '../class-names.ts'
import { type Codec, isPlainObject, mismatch } from '../codec.ts'
import { boolean, nullable, text } from '../codecs.ts'
import {
  jsonObject,
  listOf,
  mapOf,
  optional,
  required,
  stringList,
  stringSet,
  struct,
} from '../codecs-lists.ts'
import { days, duration, lifetime, secretBytes } from '../codecs-units.ts'
import { computed, defineOptions } from '../option.ts'
import { services } from './services.ts'

const role = struct({
  name: required(text),
  description: optional(text),
  scopes: optional(stringList),
  users: optional(stringList),
  groups: optional(stringList),
  services: optional(stringList),
})

const group = struct({ users: optional(stringList), properties: optional(jsonObject) })

/** `{'name': ['ada']}` is the older form of `{'name': {'users': ['ada']}}`. */
const groupOrMembers: Codec<ReturnType<typeof group.decode>> = {
  ...group,
  describe: 'object with users and properties, or list of users',
  decode(value, context) {
    if (isPlainObject(value)) return group.decode(value, context)
    if (!Array.isArray(value) && !(value instanceof Set)) return mismatch(this.describe, value)
    context.warn("a list of users is the old form: write {'users': [...]}.")
    return group.decode({ users: [...(value as Iterable<unknown>)] }, context)
  },
}

const customScope = struct(
  { description: required(text), subscopes: optional(stringList) },
  { unknown: 'warn' },
)

/** Who may do what: identities, tokens, roles, cookies. */
export const accessOptions = defineOptions({
  authenticator_class: {
    type: authenticatorClass,
    default: 'native',
    as: 'authenticator',
    summary:
      'How people sign in. Differs from JupyterHub, where it is PAM: accounts of Orrery itself are the default.',
  },
  admin_access: {
    type: boolean,
    default: false,
    summary: 'Has no effect any more: give the scope access:servers by load_roles.',
  },
  api_tokens: {
    type: mapOf(text),
    default: {},
    secret: true,
    summary: 'API tokens to accept: token to user name.',
  },
  service_tokens: {
    type: mapOf(text),
    default: {},
    secret: true,
    summary: 'API tokens to accept: token to service name.',
  },
  trust_user_provided_tokens: {
    type: boolean,
    default: false,
    summary: 'Configured tokens are random enough to be hashed in one round.',
  },
  services: {
    type: services,
    default: [],
    secret: true,
    summary: 'Programs with an identity of their own: name, api_token, url, command and the like.',
  },
  service_check_interval: {
    type: duration(),
    default: 60,
    as: 'serviceCheckIntervalMs',
    summary: 'Seconds between checks that services with a URL answer; 0 for none.',
  },
  load_roles: {
    type: listOf(role),
    default: [],
    summary: 'Roles to create or update at every start, with who has them.',
  },
  load_groups: {
    type: mapOf(groupOrMembers),
    default: {},
    summary: 'Groups to create at every start, and members to add to them.',
  },
  custom_scopes: {
    type: mapOf(customScope),
    default: {},
    summary: "Scopes of this deployment; names begin with 'custom:'.",
  },
  extra_user_scopes: {
    type: stringSet,
    default: [],
    summary: 'Scopes that everybody has in addition to those of the role user.',
  },
  cookie_secret: {
    type: secretBytes,
    default: '',
    secret: true,
    summary: 'Key that signs cookies: 32 bytes, or their hexadecimal digits.',
  },
  cookie_secret_file: {
    type: text,
    default: computed('jupyterhub_cookie_secret in data_dir', (read) => {
      return `${String(read('Orrery', 'data_dir'))}/jupyterhub_cookie_secret`
    }),
    summary: 'File that keeps the key that signs cookies; made when it is missing.',
  },
  cookie_max_age_days: {
    type: days,
    default: 14,
    as: 'cookieMaxAgeMs',
    summary: 'Days until a login cookie is no longer accepted.',
  },
  cookie_host_prefix_enabled: {
    type: boolean,
    default: false,
    summary: 'Give login cookies the __Host- prefix (needs https and the path /).',
  },
  oauth_token_expires_in: {
    type: lifetime,
    default: computed('cookie_max_age_days in seconds', (read) => {
      const given = read('JupyterHub', 'cookie_max_age_days')
      return typeof given === 'number' ? Math.max(0, Math.trunc(given * 86_400)) : 1_209_600
    }),
    as: 'oauthTokenExpiresInMs',
    summary: 'Seconds until access tokens of servers and services lapse; 0 for never.',
  },
  oauth_require_pkce: {
    type: boolean,
    default: false,
    summary: 'Refuse OAuth clients that send no code challenge.',
  },
  token_expires_in_max_seconds: {
    type: lifetime,
    default: 0,
    as: 'tokenExpiresInMaxMs',
    summary: 'Longest life of a token made through the API, in seconds; 0 for no bound.',
  },
  authenticate_prometheus: {
    type: boolean,
    default: true,
    summary: 'Ask for the scope read:metrics before metrics are shown.',
  },
  shutdown_on_logout: {
    type: boolean,
    default: false,
    summary: 'Stop all servers of a user who logs out.',
  },
})

/** Keys for what authenticators keep about users. */
export const cryptKeeperOptions = defineOptions({
  keys: {
    type: nullable(stringList),
    default: [],
    secret: true,
    summary: 'Keys that encrypt auth_state; the first encrypts, all decrypt.',
  },
})
