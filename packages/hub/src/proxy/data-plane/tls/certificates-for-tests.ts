import { execFileSync } from 'node:child_process'
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import type { CertificateFiles } from './certificate-store.ts'

/** Whether certificates can be made here. */
export function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'])
    return true
  } catch {
    return false
  }
}

/**
 * Makes a certificate that signs itself.
 * @param names - host names and, after `IP:`, addresses.
 */
export function makeCertificate(
  folder: string,
  options: { name: string; names: readonly string[]; days?: number },
): CertificateFiles {
  const keyPath = join(folder, `${options.name}.key`)
  const certPath = join(folder, `${options.name}.crt`)
  const names = options.names.map((name) => (name.startsWith('IP:') ? name : `DNS:${name}`))
  const args = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
  ]
  args.push('-keyout', `${keyPath}.new`, '-out', `${certPath}.new`)
  args.push('-days', String(options.days ?? 90), '-subj', `/CN=${options.name}`)
  args.push('-addext', `subjectAltName=${names.join(',')}`)
  execFileSync('openssl', args, { stdio: 'ignore' })
  renameSync(`${keyPath}.new`, keyPath)
  renameSync(`${certPath}.new`, certPath)
  return { keyPath, certPath }
}
