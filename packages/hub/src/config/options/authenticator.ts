import { boolean, fixedText, integer, nullable, pattern, text } from '../codecs.ts'
import { type Codec, ValueMismatch } from '../codec.ts'
import { mapOf, stringSet } from '../codecs-lists.ts'
import { duration } from '../codecs-units.ts'
import { computed, defineOptions, type ReadOption } from '../option.ts'

/** What every authenticator has. */
export const authenticatorOptions = defineOptions({
  admin_users: {
    type: stringSet,
    default: [],
    summary: 'Names that become administrators; leaving the list takes nothing away.',
  },
  allowed_users: { type: stringSet, default: [], summary: 'Names that may sign in.' },
  blocked_users: { type: stringSet, default: [], summary: 'Names that are always refused.' },
  allow_all: {
    type: boolean,
    default: false,
    summary: 'Everybody who can prove who they are may sign in, save blocked_users.',
  },
  allow_existing_users: {
    type: boolean,
    default: computed('true when allowed_users names anybody', (read) => namesAnybody(read)),
    summary: 'Users that are known already may sign in.',
  },
  any_allow_config: {
    type: boolean,
    default: computed('true when an option says who may sign in', (read) => {
      const allow = ['allow_all', 'allow_existing_users']
      return namesAnybody(read) || allow.some((name) => read('Authenticator', name) === true)
    }),
    summary: 'Whether anything says who may sign in; steers a warning at start.',
  },
  username_pattern: {
    type: pattern,
    default: '',
    summary: 'Regular expression that names match from their beginning; empty for any name.',
  },
  username_map: {
    type: mapOf(text),
    default: {},
    summary: 'Names to replace after they were put into lower case.',
  },
  auto_login: {
    type: boolean,
    default: false,
    summary: 'Begin an external sign-in at once, without the login page.',
  },
  auto_login_oauth2_authorize: {
    type: boolean,
    default: false,
    summary: 'The same for those alone whom a server or service sends to sign in.',
  },
  manage_groups: {
    type: boolean,
    default: false,
    summary: 'The authenticator says which groups users are in, at every sign-in.',
  },
  manage_roles: {
    type: boolean,
    default: false,
    summary: 'The authenticator says which roles users have, at every sign-in.',
  },
  reset_managed_roles_on_startup: {
    type: boolean,
    default: false,
    summary: 'Forget at start what the authenticator said of roles, save what it loads then.',
  },
  enable_auth_state: {
    type: boolean,
    default: false,
    summary: 'Keep what the authenticator found out about a user, encrypted.',
  },
})

const allowAllUnlessNamed = computed('true unless allowed_users names anybody', (read) => {
  return !namesAnybody(read)
})

/** Differs from JupyterHub for native accounts: an account is made by an administrator anyway. */
export const openByDefault = { allow_all: allowAllUnlessNamed }

export const dummyAuthenticatorOptions = defineOptions({
  password: {
    type: text,
    default: '',
    secret: true,
    summary: 'The password of everybody; empty accepts any. For trying things out only.',
  },
})

export const sharedPasswordAuthenticatorOptions = defineOptions({
  user_password: {
    type: nullable(passwordOf(8)),
    default: null,
    secret: true,
    summary: 'Password of everybody who is no administrator, 8 characters or more.',
  },
  admin_password: {
    type: nullable(passwordOf(32)),
    default: null,
    secret: true,
    summary: 'Password of administrators, 32 characters or more.',
  },
})

export const nativeAuthenticatorOptions = defineOptions({
  minimum_password_length: {
    type: integer({ min: 0, max: 1024 }),
    default: 8,
    summary: 'Fewest characters of a password. Differs from the Python package, where it is 0.',
  },
  check_common_password: {
    type: boolean,
    default: false,
    summary: 'Refuse passwords that many people use.',
  },
  allowed_failed_logins: {
    type: integer({ min: 0 }),
    default: 0,
    summary: 'Failed sign-ins after which a name has to wait; 0 leaves it to the general limit.',
  },
  seconds_before_next_try: {
    type: duration(),
    default: 600,
    as: 'beforeNextTryMs',
    summary: 'Seconds that such a name waits.',
  },
  enable_signup: {
    type: boolean,
    default: true,
    summary: 'People may ask for an account on a page of their own.',
  },
  open_signup: {
    type: boolean,
    default: false,
    summary: 'Accounts that people ask for work at once, without an administrator.',
  },
})

function passwordOf(length: number): Codec<string> {
  const base = fixedText('a password')
  return {
    ...base,
    decode(value, context) {
      const password = base.decode(value, context)
      if (Array.from(password).length < length) {
        throw new ValueMismatch(`has fewer than ${length} characters.`)
      }
      return password
    },
  }
}

function namesAnybody(read: ReadOption): boolean {
  const names = read('Authenticator', 'allowed_users')
  if (names instanceof Set) return names.size > 0
  return Array.isArray(names) && names.length > 0
}
