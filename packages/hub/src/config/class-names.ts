import {
  type Codec,
  describeKind,
  lastText,
  mismatch,
  Unsupported,
  ValueMismatch,
} from './codec.ts'
import { findNearestName } from './names.ts'

/** Section whose options apply when the built-in is chosen, by its short name. */
export const spawnerSections = {
  'local-process': 'LocalProcessSpawner',
  simple: 'SimpleLocalProcessSpawner',
} as const
export type SpawnerId = keyof typeof spawnerSections

export const authenticatorSections = {
  native: 'NativeAuthenticator',
  dummy: 'DummyAuthenticator',
  'shared-password': 'SharedPasswordAuthenticator',
} as const
export type AuthenticatorId = keyof typeof authenticatorSections

/** Both take their options from the section `ConfigurableHTTPProxy`. */
export type ProxyId = 'edge' | 'configurable-http-proxy'

/** Short names and import paths. Source: JupyterHub 6.0 entry points; nativeauthenticator 1.3. */
export const spawnerClass = classOf<SpawnerId>('spawner', {
  default: 'local-process',
  localprocess: 'local-process',
  'local-process': 'local-process',
  'jupyterhub.spawner.LocalProcessSpawner': 'local-process',
  simple: 'simple',
  'jupyterhub.spawner.SimpleLocalProcessSpawner': 'simple',
})

export const authenticatorClass = classOf<AuthenticatorId>('authenticator', {
  default: 'native',
  native: 'native',
  'nativeauthenticator.NativeAuthenticator': 'native',
  'nativeauthenticator.nativeauthenticator.NativeAuthenticator': 'native',
  dummy: 'dummy',
  'jupyterhub.auth.DummyAuthenticator': 'dummy',
  'jupyterhub.authenticators.dummy.DummyAuthenticator': 'dummy',
  'shared-password': 'shared-password',
  'jupyterhub.authenticators.shared.SharedPasswordAuthenticator': 'shared-password',
})

export const proxyClass = classOf<ProxyId>('proxy', {
  default: 'edge',
  edge: 'edge',
  'configurable-http-proxy': 'configurable-http-proxy',
  'jupyterhub.proxy.ConfigurableHTTPProxy': 'configurable-http-proxy',
})

/** A class by short name, import path, or as the class itself in a Python file. */
function classOf<Id extends string>(kind: string, names: Readonly<Record<string, Id>>): Codec<Id> {
  const shortNames = Object.keys(names).filter((name) => !name.includes('.'))
  return {
    describe: `${kind}: ${shortNames.map((name) => `'${name}'`).join(', ')}, or an import path`,
    decode(value) {
      const name = value instanceof Unsupported ? value.className : value
      if (typeof name !== 'string') return mismatch(`the name of a ${kind}`, value)
      const id = Object.hasOwn(names, name) ? names[name] : undefined
      if (id !== undefined) return id
      const nearest = findNearestName(name, Object.keys(names))
      const hint = nearest === undefined ? '' : ` Did you mean '${nearest}'?`
      const given = value instanceof Unsupported ? `the ${describeKind(value)}` : `'${name}'`
      throw new ValueMismatch(
        `${given} is no ${kind} that Orrery has. It has ${shortNames.join(', ')}.${hint}`,
      )
    },
    fromTexts: lastText,
  }
}
