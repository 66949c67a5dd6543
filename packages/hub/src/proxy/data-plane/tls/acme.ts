import { X509Certificate } from 'node:crypto'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { Agent } from 'node:https'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import acme from 'acme-client'
import { messageOf } from '../../../domain/errors.ts'
import type { EdgeLog } from '../context.ts'
import type { CertificateFiles } from './certificate-store.ts'

export interface AcmeOptions {
  /** Host names of the certificate; each must reach this edge on port 80. */
  readonly names: readonly string[]
  /** Where the authority writes to before a certificate ends. */
  readonly email?: string
  readonly directoryUrl: string
  /** Certificates, in PEM, that the authority's own API is checked against; the system's if absent. */
  readonly authorityCa?: Buffer
  /** Holds account key, certificate and pending challenges; edges of one installation share it. */
  readonly folder: string
  readonly log: EdgeLog
  readonly now?: () => Date
}

/** Certificates that an authority issues on demand. Source: RFC 8555, HTTP challenge §8.3. */
export interface AcmeManager {
  readonly files: CertificateFiles
  /** What `/.well-known/acme-challenge/TOKEN` answers; `undefined` for a token that is not pending. */
  findChallenge(token: string): Promise<string | undefined>
  /** Ends the renewals; one that is under way is waited for a moment, and its lock gets stale. */
  close(): Promise<void>
}

const checkIntervalMs = 6 * 3_600_000
const firstPauseMs = 60_000
/** Authorities refuse after some failures in an hour. */
const lastPauseMs = 3 * 3_600_000
/** A lock that is older was left by an edge that is gone. */
const staleLockMs = 10 * 60_000
/** The authority may take minutes; the edge has somewhere to go. */
const closeTimeoutMs = 1_000
/** Of one request to the authority. */
const requestTimeoutMs = 60_000
const tokenPattern = /^[\w-]{1,128}$/

/**
 * Gets the certificate when there is none for the names, and renews it after two thirds of its
 * life. Failures are logged and tried again, ever more rarely; what serves goes on serving.
 * @param onIssued - called once the new files are there.
 */
export async function startAcme(
  options: AcmeOptions,
  onIssued: () => Promise<unknown>,
): Promise<AcmeManager> {
  const { folder, log } = options
  await mkdir(join(folder, 'challenges'), { recursive: true, mode: 0o700 })
  const files: CertificateFiles = {
    keyPath: join(folder, 'key.pem'),
    certPath: join(folder, 'cert.pem'),
    isAwaited: true,
  }
  const ending = new AbortController()
  const working = work()

  async function work(): Promise<void> {
    let pauseMs = firstPauseMs
    while (!ending.signal.aborted) {
      let nextMs = checkIntervalMs
      try {
        if ((await isDue(options, files)) && (await issueAlone(options, files))) {
          log('info', `got a certificate for ${options.names.join(', ')}`)
          await onIssued()
        }
        pauseMs = firstPauseMs
      } catch (error) {
        log('error', `no certificate for ${options.names.join(', ')}: ${messageOf(error)}`)
        nextMs = pauseMs
        pauseMs = Math.min(pauseMs * 2, lastPauseMs)
      }
      const jittered = nextMs * (0.9 + Math.random() / 5)
      await sleep(jittered, undefined, { signal: ending.signal, ref: false }).catch(() => undefined)
    }
  }

  return {
    files,
    async findChallenge(token) {
      if (!tokenPattern.test(token)) return undefined
      return readFile(challengePath(folder, token), 'utf8').catch(() => undefined)
    },
    async close() {
      ending.abort()
      await Promise.race([working, sleep(closeTimeoutMs, undefined, { ref: false })])
    },
  }
}

async function isDue(options: AcmeOptions, files: CertificateFiles): Promise<boolean> {
  const now = (options.now?.() ?? new Date()).getTime()
  try {
    const certificate = new X509Certificate(await readFile(files.certPath))
    await stat(files.keyPath)
    if (options.names.some((name) => certificate.checkHost(name) === undefined)) return true
    const from = certificate.validFromDate.getTime()
    const lifeMs = certificate.validToDate.getTime() - from
    return now > from + (lifeMs * 2) / 3
  } catch {
    return true // none yet, or not one
  }
}

/** @returns false when another edge is at it */
async function issueAlone(options: AcmeOptions, files: CertificateFiles): Promise<boolean> {
  const lock = join(options.folder, 'lock')
  const age = await stat(lock).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0,
  )
  if (age > staleLockMs) await rm(lock, { recursive: true, force: true })
  try {
    await mkdir(lock)
  } catch {
    return false
  }
  try {
    await issue(options, files)
    return true
  } finally {
    await rm(lock, { recursive: true, force: true })
  }
}

async function issue(options: AcmeOptions, files: CertificateFiles): Promise<void> {
  const { names, email, folder } = options
  // We try again by ourselves, after longer pauses and with a word in the log.
  const { acmeSettings } = acme.axios.defaults as { acmeSettings?: object } // untyped by the library
  Object.assign(acmeSettings ?? {}, { retryMaxAttempts: 0 })
  acme.axios.defaults.timeout = requestTimeoutMs
  if (options.authorityCa !== undefined) {
    acme.axios.defaults.httpsAgent = new Agent({ ca: options.authorityCa })
  }
  const client = new acme.Client({
    directoryUrl: options.directoryUrl,
    accountKey: await ensureAccountKey(folder),
  })
  const [commonName] = names
  const [key, csr] = await acme.crypto.createCsr(
    { ...(commonName !== undefined && { commonName }), altNames: [...names] },
    await acme.crypto.createPrivateEcdsaKey(),
  )
  const chain = await client.auto({
    csr,
    ...(email !== undefined && { email }),
    termsOfServiceAgreed: true,
    challengePriority: ['http-01'],
    // The authority will see for itself; from inside, the public address may not be reachable.
    skipChallengeVerification: true,
    challengeCreateFn: async (_authorization, { token }, keyAuthorization) => {
      if (!tokenPattern.test(token)) throw new Error('the authority sent a token that is none')
      await writeFile(challengePath(folder, token), keyAuthorization, { mode: 0o600 })
    },
    challengeRemoveFn: (_authorization, { token }) =>
      rm(challengePath(folder, token), { force: true }),
  })
  await replaceFile(files.keyPath, key)
  await replaceFile(files.certPath, chain)
}

async function ensureAccountKey(folder: string): Promise<Buffer> {
  const path = join(folder, 'account.pem')
  try {
    return await readFile(path)
  } catch {
    const key = await acme.crypto.createPrivateEcdsaKey()
    await replaceFile(path, key)
    return key
  }
}

async function replaceFile(path: string, content: Buffer | string): Promise<void> {
  await writeFile(`${path}.new`, content, { mode: 0o600, flush: true })
  await rename(`${path}.new`, path)
}

function challengePath(folder: string, token: string): string {
  return join(folder, 'challenges', token)
}
