import { X509Certificate } from 'node:crypto'
import { resolve } from 'node:path'
import { ConfigError } from '../domain/errors.ts'
import { type CertificateFolder, parseCertificate, readKey, readPem } from './certificate-folder.ts'
import { createKey, type KeyPair, keyToPem, signAuthority, type Validity } from './x509.ts'

/** Source: JupyterHub 6.1 app.py, `internal_ssl_authorities`. */
export const authorityNames = [
  'hub-ca',
  'notebooks-ca',
  'proxy-api-ca',
  'proxy-client-ca',
  'services-ca',
] as const

export type AuthorityName = (typeof authorityNames)[number]

/** Files of an authority that somebody else manages. */
export interface ExternalAuthority {
  readonly key: string | undefined
  readonly cert: string | undefined
  readonly ca: string | undefined
}

/** An authority; without its key it can be trusted, but signs nothing here. */
export interface Authority {
  readonly name: AuthorityName
  readonly certPem: string
  readonly certificate: X509Certificate
  readonly key: KeyPair['key'] | undefined
}

const authorityDays = 3650
const dayMs = 86_400_000
/** Clocks of other machines may be behind. */
const skewMs = 3_600_000
const option = 'JupyterHub.internal_certs_location'

export function validFor(days: number, now: Date): Validity {
  return {
    notBefore: new Date(now.getTime() - skewMs),
    notAfter: new Date(now.getTime() + days * dayMs),
  }
}

/** With a third of its life left, it is time for the next one. */
export function isDue(certificate: X509Certificate, now: Date): boolean {
  const from = certificate.validFromDate.getTime()
  const to = certificate.validToDate.getTime()
  return to - now.getTime() < (to - from) / 3
}

/**
 * The authority of this name, made when it is not there. One that is about to end gets a new
 * certificate for the same key, so that everything it signed stays valid, for whoever trusts the
 * old certificate too.
 * @throws ConfigError when what is there cannot be used: a new one in its place would shut running
 *   servers out
 */
export async function ensureAuthority(
  folder: CertificateFolder,
  name: AuthorityName,
  now: Date,
): Promise<Authority> {
  const stored = await folder.read(name)
  const { keyPath, certPath } = folder.pathsOf(name)
  if (stored.key === undefined) {
    if (stored.certPem !== undefined) {
      throw new ConfigError(
        `${option}: the key ${keyPath} of an authority is missing. Restore it, or make everything ` +
          'new with JupyterHub.recreate_internal_certs and start the servers again.',
      )
    }
    const key = createKey()
    const certPem = await signAuthority(key, { name, validity: validFor(authorityDays, now) })
    await folder.create(name, { keyPem: keyToPem(key), certPem })
    return ensureAuthority(folder, name, now) // as it is stored: maybe by another hub
  }
  const { key } = stored
  const found =
    stored.certPem === undefined ? undefined : parseCertificate(stored.certPem, certPath, option)
  if (found !== undefined && !found.checkPrivateKey(key)) {
    throw new ConfigError(`${option}: ${keyPath} is not the key of the certificate in ${certPath}`)
  }
  if (found !== undefined && stored.certPem !== undefined && !isDue(found, now)) {
    return { name, key, certPem: stored.certPem, certificate: found }
  }
  const certPem = await signAuthority(key, { name, validity: validFor(authorityDays, now) })
  await folder.replaceCertificate(name, certPem)
  return { name, key, certPem, certificate: new X509Certificate(certPem) }
}

/**
 * Reads an authority of `JupyterHub.external_ssl_authorities`. `ca` is what signed it, and is
 * trusted along with it.
 * @throws ConfigError that names the option
 */
export async function readExternalAuthority(
  name: AuthorityName,
  files: ExternalAuthority,
  { cwd, now }: { readonly cwd: string; readonly now: Date },
): Promise<Authority> {
  const source = `JupyterHub.external_ssl_authorities['${name}']`
  const certPath = files.cert ?? ''
  if (certPath === '') throw new ConfigError(`${source} needs 'cert', the authority's certificate`)
  const read = async (path: string) => {
    const pem = await readPem(resolve(cwd, path), source)
    if (pem === undefined) throw new ConfigError(`${source}: there is no file ${path}`)
    return pem.endsWith('\n') ? pem : `${pem}\n`
  }
  const certPem = await read(certPath)
  const certificate = parseCertificate(certPem, certPath, source)
  if (certificate.validToDate < now) {
    throw new ConfigError(`${source}: ${certPath} ended ${certificate.validTo}`)
  }
  if (!certificate.ca) throw new ConfigError(`${source}: ${certPath} is no authority's certificate`)
  const signer = files.ca === undefined || files.ca === '' ? '' : await read(files.ca)
  const keyPath = files.key ?? ''
  const key = keyPath === '' ? undefined : await readKey(resolve(cwd, keyPath), source)
  if (keyPath !== '' && key === undefined) {
    throw new ConfigError(`${source}: there is no file ${keyPath}`)
  }
  if (key !== undefined && !certificate.checkPrivateKey(key)) {
    throw new ConfigError(`${source}: ${keyPath} is not the key of the certificate in ${certPath}`)
  }
  return { name, key, certPem: certPem.includes(signer) ? certPem : certPem + signer, certificate }
}
