import { randomBytes, X509Certificate } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigError, messageOf } from '../domain/errors.ts'
import { hasErrno } from '../util/errno.ts'
import { type KeyPair, parseSigningKey } from './x509.ts'

/** Where a key and its certificate are. */
export interface PairPaths {
  readonly keyPath: string
  readonly certPath: string
}

/** What is there of a pair; each part by itself may be absent. */
export interface StoredPair {
  readonly key: KeyPair['key'] | undefined
  readonly certPem: string | undefined
}

const option = 'JupyterHub.internal_certs_location'
/** Longer than any write takes: what is older was left by a hub that was killed. */
const leftoverMs = 10 * 60_000

/**
 * Keys and certificates below `JupyterHub.internal_certs_location`, as certipy lays them out:
 * `NAME/NAME.key`, `NAME/NAME.crt`, `NAME_trust.crt`. Hubs that share the folder do not write over
 * each other: a pair comes as a whole folder, which the first one puts in its place.
 * Source: certipy 0.2 of JupyterHub 6.1.
 */
export class CertificateFolder {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  /** @throws ConfigError when it cannot be written, or when others may put keys into it */
  static async open(path: string): Promise<CertificateFolder> {
    const folder = new CertificateFolder(path)
    try {
      await mkdir(path, { recursive: true, mode: 0o700 })
      if (((await stat(path)).mode & 0o022) !== 0) {
        throw new ConfigError(`${option}: ${path} is writable by others: \`chmod go-w ${path}\``)
      }
      await folder.#removeLeftovers()
    } catch (error) {
      if (error instanceof ConfigError) throw error
      throw new ConfigError(`${option}: ${path} cannot be used: ${messageOf(error)}`, {
        cause: error,
      })
    }
    return folder
  }

  pathsOf(name: string): PairPaths {
    const base = join(this.path, name, name)
    return { keyPath: `${base}.key`, certPath: `${base}.crt` }
  }

  bundlePath(name: string): string {
    return join(this.path, `${name}_trust.crt`)
  }

  /**
   * Reads a pair; what is not there is `undefined`.
   * @throws ConfigError for a key that others may read, and for files that cannot be read or are none
   */
  async read(name: string): Promise<StoredPair> {
    const { keyPath, certPath } = this.pathsOf(name)
    const readOnce = async () => ({
      key: await readKey(keyPath, option),
      certPem: await readPem(certPath, option),
    })
    const pair = await readOnce()
    // Half a pair: another hub may have put it there just between the two.
    return (pair.key === undefined) === (pair.certPem === undefined) ? pair : readOnce()
  }

  /** Puts a new pair in its place. @returns false when another hub has put one there */
  async create(name: string, pair: { keyPem: string; certPem: string }): Promise<boolean> {
    const fresh = join(this.path, `.new-${randomBytes(6).toString('hex')}`)
    await mkdir(fresh, { mode: 0o700 })
    await writeDurably(join(fresh, `${name}.key`), pair.keyPem, 0o600)
    await writeDurably(join(fresh, `${name}.crt`), pair.certPem, 0o644)
    try {
      await rename(fresh, join(this.path, name))
      await syncFolder(this.path)
      return true
    } catch (error) {
      await rm(fresh, { recursive: true, force: true })
      if (hasErrno(error, 'ENOTEMPTY', 'EEXIST')) return false
      throw error
    }
  }

  /** A new certificate of the key that is there: at no instant do the two not fit. */
  async replaceCertificate(name: string, certPem: string): Promise<void> {
    await replaceFile(this.pathsOf(name).certPath, certPem, 0o644)
  }

  async writeBundle(name: string, certificates: readonly string[]): Promise<void> {
    await this.writeFile(`${name}_trust.crt`, certificates.join(''), 0o644)
  }

  /** Leaves the file alone when it says so already. */
  async writeFile(name: string, text: string, mode: number): Promise<void> {
    const path = join(this.path, name)
    if ((await readFile(path, 'utf8').catch(() => undefined)) === text) return
    await replaceFile(path, text, mode)
  }

  async readFile(name: string): Promise<string | undefined> {
    return readFile(join(this.path, name), 'utf8').catch(() => undefined)
  }

  async discard(name: string): Promise<void> {
    const away = join(this.path, `.old-${randomBytes(6).toString('hex')}`)
    try {
      await rename(join(this.path, name), away)
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error
    }
    await rm(away, { recursive: true, force: true })
  }

  /** Discards these pairs, what certipy made for users, and its records. */
  async clear(names: readonly string[]): Promise<void> {
    const users = (await readdir(this.path)).filter((name) => name.startsWith('user-'))
    for (const name of [...names, ...users]) await this.discard(name)
    await rm(join(this.path, 'certipy.json'), { force: true })
  }

  async #removeLeftovers(): Promise<void> {
    for (const name of await readdir(this.path)) {
      if (!/^\.(?:new|old)-/.test(name)) continue
      const path = join(this.path, name)
      const found = await stat(path).catch(() => undefined)
      if (found === undefined || Date.now() - found.mtimeMs < leftoverMs) continue
      await rm(path, { recursive: true, force: true })
    }
  }
}

/** @throws ConfigError that names the option and the file */
export async function readKey(path: string, source: string): Promise<KeyPair['key'] | undefined> {
  const pem = await readPem(path, source)
  if (pem === undefined) return undefined
  if (((await stat(path)).mode & 0o077) !== 0) {
    throw new ConfigError(
      `${source}: the key ${path} is open to others: \`chmod 600 ${path}\`, or make new ` +
        'certificates with JupyterHub.recreate_internal_certs if somebody may have read it.',
    )
  }
  return inFile(path, source, () => parseSigningKey(pem))
}

/** @throws ConfigError that names the option and the file */
export function parseCertificate(pem: string, path: string, source: string): X509Certificate {
  return inFile(path, source, () => new X509Certificate(pem))
}

export async function readPem(path: string, source: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined
    throw new ConfigError(`${source}: ${path} cannot be read: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

function inFile<T>(path: string, source: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw new ConfigError(`${source}: ${path} cannot be used: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  const fresh = `${path}.${randomBytes(6).toString('hex')}`
  await writeDurably(fresh, text, mode)
  await rename(fresh, path)
}

async function writeDurably(path: string, text: string, mode: number): Promise<void> {
  await writeFile(path, text, { mode, flag: 'wx', flush: true })
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r')
  await folder.sync()
}
