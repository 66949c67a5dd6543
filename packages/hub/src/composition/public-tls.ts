import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Config } from '../config/options/classes.ts'
import { ConfigError, messageOf } from '../domain/errors.ts'

/** Files of the public proxy's HTTPS, as absolute paths. */
export interface PublicCertificate {
  readonly keyPath: string
  readonly certPath: string
}

export interface PublicTlsInput {
  readonly config: Config
  readonly cwd: string
  /** `CONFIGPROXY_SSL_KEY_PASSPHRASE` unlocks the key, as it does for the proxy. */
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Flags of the edge that make it speak HTTPS by themselves. */
const httpsFlags = /^--(?:acme-domain|ssl-cert)(?:=|$)/

/**
 * How people reach the proxy that the hub starts.
 * Source: JupyterHub 6.1 app.py, `bind_url`: its scheme follows `ssl_cert`, whatever it says.
 */
export function publicScheme(config: Config): 'http' | 'https' {
  const isByFlag = config.Orrery.edgeArgs.some((flag) => httpsFlags.test(flag))
  return config.JupyterHub.sslCert !== '' || isByFlag ? 'https' : 'http'
}

/** What to tell who asks for HTTPS and gives nothing to serve it with. */
export function publicSchemeWarning(config: Config): string | undefined {
  const { bindUrl } = config.JupyterHub
  if (!/^https:/i.test(bindUrl) || publicScheme(config) === 'https') return undefined
  return (
    'JupyterHub.bind_url begins with https, but the proxy has no certificate and speaks HTTP: set ' +
    'JupyterHub.ssl_key and JupyterHub.ssl_cert, or, where TLS ends in front of Orrery, say http here ' +
    'and the address that people type in JupyterHub.public_url'
  )
}

/**
 * The certificate that the proxy is started with, checked beforehand: what the proxy would say about
 * it stands in another log, and names no option.
 * @throws ConfigError when one of the options is missing, or a file cannot be used
 */
export function publicCertificate(input: PublicTlsInput): PublicCertificate | undefined {
  const { sslKey, sslCert } = input.config.JupyterHub
  if (sslKey === '' && sslCert === '') return undefined
  if (sslKey === '') throw missing('ssl_key', 'ssl_cert')
  if (sslCert === '') throw missing('ssl_cert', 'ssl_key')
  const keyPath = resolve(input.cwd, sslKey)
  const certPath = resolve(input.cwd, sslCert)
  const certificate = use('ssl_cert', certPath, (pem) => new X509Certificate(pem))
  const key = use('ssl_key', keyPath, (pem) => parseKey(pem, input.env))
  if (!certificate.checkPrivateKey(key)) {
    throw new ConfigError(
      `JupyterHub.ssl_key: ${keyPath} is not the key of the certificate in ${certPath} ` +
        '(JupyterHub.ssl_cert).',
    )
  }
  return { keyPath, certPath }
}

function missing(absent: string, given: string): ConfigError {
  return new ConfigError(
    `JupyterHub.${given} is set without JupyterHub.${absent}: HTTPS takes a key and a certificate.`,
  )
}

function parseKey(pem: Buffer, env: PublicTlsInput['env']): KeyObject {
  const passphrase = env['CONFIGPROXY_SSL_KEY_PASSPHRASE']
  return createPrivateKey({ key: pem, ...(passphrase !== undefined && { passphrase }) })
}

function use<T>(option: string, path: string, parse: (pem: Buffer) => T): T {
  let pem: Buffer
  try {
    pem = readFileSync(path)
  } catch (error) {
    throw new ConfigError(`JupyterHub.${option}: ${path} cannot be read: ${messageOf(error)}`, {
      cause: error,
    })
  }
  try {
    return parse(pem)
  } catch (error) {
    throw new ConfigError(`JupyterHub.${option}: ${path} cannot be used: ${messageOf(error)}`, {
      cause: error,
    })
  }
}
