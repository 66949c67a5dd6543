import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import { messageOf } from '../../../domain/errors.ts'
import type { EdgeLog } from '../context.ts'
import { absent, stampOf, stampsOf } from './file-stamps.ts'

/** A certificate with its chain and its private key, in PEM files. */
export interface CertificateFiles {
  readonly keyPath: string
  readonly certPath: string
  readonly passphrase?: string
  /** The files may not be there yet: somebody is about to get the certificate. */
  readonly isAwaited?: boolean
}

/** Versions, ciphers and client authorities: the same for every certificate, partly from files. */
export interface SettingsSource {
  /** Rejects with an error that names the file, when one cannot be used. */
  read(): Promise<SecureContextOptions>
  /** Files that it reads. */
  readonly paths: readonly string[]
}

export interface CertificateStoreOptions {
  /** The first serves clients that name no host, or one that no certificate is for. */
  readonly files: readonly CertificateFiles[]
  readonly settings: SettingsSource
  readonly log: EdgeLog
  /** How often the files are looked at. */
  readonly checkIntervalMs?: number
  readonly now?: () => Date
}

/** Certificates by host name, read anew when their files change; connections are not touched. */
export interface CertificateStore {
  /** For `SNICallback`; the default's for a name without a certificate, `undefined` when none is there yet. */
  contextFor(servername: string): SecureContext | undefined
  /** Settings, and key and certificate for clients that name no host, unless none is there yet. */
  defaults(): SecureContextOptions
  /** Calls back when the files were read anew. */
  onChange(listener: () => void): void
  /** Reads all files again; when one is broken everything stays as it was and false comes back. */
  reload(): Promise<boolean>
  close(): void
}

interface Loaded {
  readonly settings: SecureContextOptions
  readonly certificates: readonly LoadedCertificate[]
}

interface LoadedCertificate {
  readonly files: CertificateFiles
  readonly context: SecureContext
  readonly material: Pick<SecureContextOptions, 'key' | 'cert' | 'passphrase'>
  readonly certificate: X509Certificate
}

const defaultCheckIntervalMs = 5_000
/** Host names whose certificate is remembered; clients choose the names. */
const maxNames = 1_000
const soonMs = 14 * 86_400_000

/**
 * Reads the files and watches them by their times: certificate tools replace files and links in
 * ways that file events miss.
 * @throws Error that names the file, when one cannot be used
 */
export async function openCertificateStore(
  options: CertificateStoreOptions,
): Promise<CertificateStore> {
  const { log } = options
  const paths = [...pathsOf(options.files), ...options.settings.paths]
  let stamps = await stampsOf(paths)
  let loaded = await loadAll(options)
  /** Why new files are not used, as it was said last. */
  let complaint = ''
  let byName = new Map<string, SecureContext>()
  const listeners: (() => void)[] = []

  async function reload(): Promise<boolean> {
    try {
      const stampsBefore = await stampsOf(paths)
      loaded = await loadAll(options, loaded.certificates)
      stamps = stampsBefore
      complaint = ''
      byName = new Map()
      for (const listener of listeners) listener()
      log('info', `certificates read again: ${describe(loaded.certificates)}`)
      return true
    } catch (error) {
      const reason = messageOf(error)
      if (reason !== complaint) log('error', `the new certificates are not used: ${reason}`)
      complaint = reason
      return false
    }
  }

  let isBusy = false
  const timer = setInterval(() => {
    if (isBusy) return
    isBusy = true
    void (async () => {
      // What was refused is tried again: it may not have been the files that were at fault.
      if ((await stampsOf(paths)) !== stamps) await reload()
    })().finally(() => (isBusy = false))
  }, options.checkIntervalMs ?? defaultCheckIntervalMs)
  timer.unref()

  return {
    contextFor(servername) {
      const name = servername.toLowerCase()
      const known = byName.get(name)
      if (known !== undefined) return known
      const context = findCertificate(loaded.certificates, name)?.context
      if (context === undefined) return undefined
      if (byName.size >= maxNames) byName.clear()
      byName.set(name, context)
      return context
    },
    defaults: () => ({ ...loaded.settings, ...loaded.certificates[0]?.material }),
    onChange: (listener) => void listeners.push(listener),
    reload,
    close: () => clearInterval(timer),
  }
}

/** The first that is for the name itself, then the first whose wildcard is, else the first of all. */
function findCertificate(
  certificates: readonly LoadedCertificate[],
  name: string,
): LoadedCertificate | undefined {
  const isFor = (wildcards: boolean) => (one: LoadedCertificate) =>
    one.certificate.checkHost(name, { wildcards }) !== undefined
  return certificates.find(isFor(false)) ?? certificates.find(isFor(true)) ?? certificates[0]
}

/** @param before - what serves now: one that was awaited and came is not given up when its files are gone. */
async function loadAll(
  options: CertificateStoreOptions,
  before: readonly LoadedCertificate[] = [],
): Promise<Loaded> {
  const now = options.now?.() ?? new Date()
  const settings = await options.settings.read()
  const loads = options.files.map(async (files) => {
    if (files.isAwaited === true && !(await isThere(files))) {
      return before.filter((one) => one.files === files)
    }
    return [await load(files, settings)]
  })
  const certificates = (await Promise.all(loads)).flat()
  for (const { certificate } of certificates) {
    const leftMs = certificate.validToDate.getTime() - now.getTime()
    if (leftMs < soonMs) {
      const state = leftMs < 0 ? 'ended' : 'ends'
      options.log(
        'warn',
        `the certificate of ${nameOf(certificate)} ${state} ${certificate.validTo}`,
      )
    }
  }
  return { settings, certificates }
}

async function load(
  files: CertificateFiles,
  settings: SecureContextOptions,
): Promise<LoadedCertificate> {
  const { keyPath, certPath, passphrase } = files
  const key = await readPem(keyPath)
  const cert = await readPem(certPath)
  const secret = passphrase === undefined ? {} : { passphrase }
  const certificate = named(certPath, () => new X509Certificate(cert))
  const privateKey = named(keyPath, () => createPrivateKey({ key, ...secret }))
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new Error(`${keyPath} is not the key of the certificate in ${certPath}`)
  }
  const material = { key, cert, ...secret }
  const context = named(certPath, () => createSecureContext({ ...settings, ...material }))
  return { files, context, certificate, material }
}

async function readPem(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    throw new Error(`${path} cannot be read: ${messageOf(error)}`, { cause: error })
  }
}

function named<T>(path: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw new Error(`${path} cannot be used: ${messageOf(error)}`, { cause: error })
  }
}

async function isThere({ keyPath, certPath }: CertificateFiles): Promise<boolean> {
  const stamps = await Promise.all([stampOf(keyPath), stampOf(certPath)])
  return !stamps.includes(absent)
}

function pathsOf(files: readonly CertificateFiles[]): string[] {
  return files.flatMap(({ keyPath, certPath }) => [keyPath, certPath])
}

function describe(loaded: readonly LoadedCertificate[]): string {
  return loaded
    .map(({ certificate }) => `${nameOf(certificate)} until ${certificate.validTo}`)
    .join(', ')
}

function nameOf(certificate: X509Certificate): string {
  return certificate.subjectAltName ?? certificate.subject.replaceAll('\n', ' ')
}
