import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { Logger } from 'pino'
import type { Config } from '../config/options/classes.ts'
import { ConfigError } from '../domain/errors.ts'
import {
  type AltName,
  altNameOfHost,
  localNames,
  parseAltName,
  uniqueNames,
} from '../internal-tls/alt-names.ts'
import { authorityNames } from '../internal-tls/authorities.ts'
import type { InternalTls, InternalTlsOptions } from '../internal-tls/internal-tls.ts'
import type { ServerTls } from '../lifecycle/work-context.ts'
import { hubConnectUrl } from './settings.ts'

export interface InternalTlsInput {
  readonly config: Config
  readonly cwd: string
  readonly logger: Pick<Logger, 'info' | 'warn'>
}

/**
 * The certificates of `JupyterHub.internal_ssl`; `undefined` without. Everything that makes
 * certificates is loaded for it alone.
 * @throws ConfigError that names option, file and remedy
 */
export async function openConfiguredTls(input: InternalTlsInput): Promise<InternalTls | undefined> {
  if (!input.config.JupyterHub.internalSsl) return undefined
  const { openInternalTls } = await import('../internal-tls/internal-tls.ts')
  return openInternalTls(optionsOf(input))
}

/** Makes the certificates and ends; for a proxy or hub elsewhere that needs them before. */
export async function generateCertificates(input: InternalTlsInput): Promise<void> {
  const { config, logger } = input
  const { openInternalCertificates } = await import('../internal-tls/internal-certificates.ts')
  if (!config.JupyterHub.internalSsl) {
    logger.warn({}, 'the certificates are used once JupyterHub.internal_ssl is true')
  }
  const options = optionsOf(input)
  await openInternalCertificates(options)
  logger.info({}, `Certificates written to directory \`${options.path}\``)
}

function optionsOf({ config, cwd, logger }: InternalTlsInput): InternalTlsOptions {
  const { internalCertsLocation, externalSslAuthorities, recreateInternalCerts } = config.JupyterHub
  if (internalCertsLocation === '') {
    throw new ConfigError('JupyterHub.internal_certs_location has to name a folder.')
  }
  const host = altNameOfHost(hostname())
  return {
    path: resolve(cwd, internalCertsLocation),
    configuredPath: internalCertsLocation,
    cwd,
    external: Object.fromEntries(
      authorityNames.flatMap((name) => {
        const files = externalSslAuthorities[name]
        return files === undefined ? [] : [[name, files]]
      }),
    ),
    names: namesOf(config),
    hostNames: host === undefined ? [] : [host],
    recreate: recreateInternalCerts,
    log: (message) => logger.info({}, message),
    warn: (message) => logger.warn({}, message),
    now: () => new Date(),
  }
}

/**
 * Source: JupyterHub 6.1 app.py, `init_internal_ssl`.
 * Differs from JupyterHub: the addresses that hub and proxy are configured to be reached at belong to
 * their names, without `trusted_alt_names`.
 */
function namesOf(config: Config): InternalTlsOptions['names'] {
  const { trustedAltNames, subdomainHost } = config.JupyterHub
  const trusted = parseNames(trustedAltNames)
  const subdomain = subdomainHost === '' ? [] : hostIn(subdomainHost)
  const common = [...subdomain, ...trusted]
  return {
    'hub-internal': [...hostIn(hubConnectUrl(config)), ...common],
    'proxy-api': [...hostIn(config.ConfigurableHTTPProxy.apiUrl), ...common],
    'proxy-client': common,
  }
}

function hostIn(url: string): AltName[] {
  const name = URL.canParse(url) ? altNameOfHost(new URL(url).hostname) : undefined
  return name === undefined ? [] : [name]
}

/**
 * Certificates of servers and services.
 * Source: JupyterHub 6.1 spawner.py, `create_certs`: one authority for both.
 */
export function serverTls(config: Config, tls: InternalTls): ServerTls {
  const { sslAltNames, sslAltNamesIncludeLocal } = config.Spawner
  const local = sslAltNamesIncludeLocal ? localNames : []
  const configured = [...local, ...parseNames(sslAltNames)]
  return {
    issue: (owner, names) =>
      tls.certificates.issue(`user-${owner}`, uniqueNames([...configured, ...parseNames(names)])),
    dispatcher: () => tls.dispatcher(),
  }
}

function parseNames(names: readonly string[]): AltName[] {
  return names.flatMap((name) => parseAltName(name) ?? [])
}
