import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Agent, fetch as undiciFetch } from 'undici'
import type { Config } from '../../config/options/classes.ts'
import { messageOf } from '../../domain/errors.ts'
import { CommandFailed } from '../command-failed.ts'

type Fetch = typeof globalThis.fetch

/** Files that make a hub with `internal_ssl` talk to us. */
interface TlsFiles {
  readonly keyPath: string
  readonly certPath: string
  readonly caPath: string
}

/** Shows the hub of this machine its own certificate; `undefined` when it asks for none. */
export function localFetch(config: Config, cwd: string): Fetch | undefined {
  const { internalSsl, internalCertsLocation } = config.JupyterHub
  if (!internalSsl) return undefined
  const folder = resolve(cwd, internalCertsLocation)
  return fetchWith({
    keyPath: join(folder, 'hub-internal', 'hub-internal.key'),
    certPath: join(folder, 'hub-internal', 'hub-internal.crt'),
    caPath: join(folder, 'hub-ca_trust.crt'),
  })
}

/** With the certificate that servers and services are given, where the environment names one. */
export function fetchOfEnvironment(env: NodeJS.ProcessEnv): Fetch | undefined {
  const keyPath = env['JUPYTERHUB_SSL_KEYFILE'] ?? ''
  const certPath = env['JUPYTERHUB_SSL_CERTFILE'] ?? ''
  const caPath = env['JUPYTERHUB_SSL_CLIENT_CA'] ?? ''
  if (keyPath === '' || certPath === '' || caPath === '') return undefined
  return fetchWith({ keyPath, certPath, caPath })
}

function fetchWith({ keyPath, certPath, caPath }: TlsFiles): Fetch {
  const connect = { key: read(keyPath), cert: read(certPath), ca: read(caPath) }
  const dispatcher = new Agent({ connect })
  // The same function under another version of its types.
  return ((url: string, init: object) => undiciFetch(url, { ...init, dispatcher })) as Fetch
}

function read(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new CommandFailed(
      `The hub asks for a certificate (JupyterHub.internal_ssl), and ours cannot be read: ${messageOf(error)}`,
    )
  }
}
