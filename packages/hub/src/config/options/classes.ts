import type { OptionClass, SliceOf } from '../option.ts'
import { applicationOptions, processOptions } from './application.ts'
import {
  authenticatorOptions,
  dummyAuthenticatorOptions,
  nativeAuthenticatorOptions,
  openByDefault,
  sharedPasswordAuthenticatorOptions,
} from './authenticator.ts'
import { accessOptions, cryptKeeperOptions } from './jupyterhub-access.ts'
import { networkOptions } from './jupyterhub-network.ts'
import { serverOptions } from './jupyterhub-servers.ts'
import { tlsOptions } from './jupyterhub-tls.ts'
import { orreryOptions } from './orrery.ts'
import { configurableHttpProxyOptions, proxyOptions } from './proxy.ts'
import {
  localProcessDefaults,
  localProcessSpawnerOptions,
  simpleLocalProcessSpawnerOptions,
  spawnerOptions,
} from './spawner.ts'

const jupyterHubOptions = {
  ...networkOptions,
  ...tlsOptions,
  ...accessOptions,
  ...serverOptions,
  ...processOptions,
} as const

/** Every class Orrery knows, with the options it declares itself. Parents come before children. */
const declared = {
  Application: { options: applicationOptions },
  JupyterHub: { parent: 'Application', options: jupyterHubOptions },
  Orrery: { options: orreryOptions },
  Spawner: { options: spawnerOptions },
  LocalProcessSpawner: {
    parent: 'Spawner',
    options: localProcessSpawnerOptions,
    defaults: localProcessDefaults,
  },
  SimpleLocalProcessSpawner: {
    parent: 'LocalProcessSpawner',
    options: simpleLocalProcessSpawnerOptions,
  },
  Authenticator: { options: authenticatorOptions },
  NativeAuthenticator: {
    parent: 'Authenticator',
    options: nativeAuthenticatorOptions,
    defaults: openByDefault,
  },
  DummyAuthenticator: {
    parent: 'Authenticator',
    options: dummyAuthenticatorOptions,
    defaults: openByDefault,
  },
  SharedPasswordAuthenticator: {
    parent: 'Authenticator',
    options: sharedPasswordAuthenticatorOptions,
  },
  Proxy: { options: proxyOptions },
  ConfigurableHTTPProxy: { parent: 'Proxy', options: configurableHttpProxyOptions },
  CryptKeeper: { options: cryptKeeperOptions },
} as const

type Declared = typeof declared
export type ClassName = keyof Declared

/**
 * Everything the hub was told, read and checked; frozen, and handed out by slices. A slice holds
 * the options its class declares, with the values that apply to the spawner, authenticator and
 * proxy that were chosen.
 */
export type Config = {
  readonly [Name in ClassName]: SliceOf<Declared[Name]['options']>
}

export const optionClasses: ReadonlyMap<string, OptionClass> = buildClasses()

/** Old names of options and where their values go. Source: contract config-options, replacedBy. */
export const forwardedOptions: Readonly<Record<string, readonly [string, string]>> = {
  'JupyterHub.admin_users': ['Authenticator', 'admin_users'],
  'JupyterHub.debug_proxy': ['ConfigurableHTTPProxy', 'debug'],
  'JupyterHub.proxy_auth_token': ['ConfigurableHTTPProxy', 'auth_token'],
  'JupyterHub.proxy_check_interval': ['ConfigurableHTTPProxy', 'check_running_interval'],
  'JupyterHub.proxy_cmd': ['ConfigurableHTTPProxy', 'command'],
  'Authenticator.whitelist': ['Authenticator', 'allowed_users'],
  'Authenticator.blacklist': ['Authenticator', 'blocked_users'],
}

interface DeclaredClass {
  readonly parent?: string
  readonly options: OptionClass['options']
  readonly defaults?: Readonly<Record<string, unknown>>
}

function buildClasses(): ReadonlyMap<string, OptionClass> {
  const classes = new Map<string, OptionClass>()
  const entries: readonly (readonly [string, DeclaredClass])[] = Object.entries(declared)
  for (const [name, { parent, options, defaults = {} }] of entries) {
    const inherited = parent === undefined ? undefined : classes.get(parent)
    classes.set(name, Object.freeze({ name, parent: inherited, options, defaults }))
  }
  return classes
}
