import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { HubError } from '../../domain/errors.ts'

/** Cost of one hash. */
export interface Argon2Parameters {
  readonly memoryKiB: number
  readonly passes: number
  readonly parallelism: number
}

/** Source: RFC 9106 §4, second recommended option. About 60 ms of one core. */
export const defaultArgon2Parameters: Argon2Parameters = {
  memoryKiB: 65_536,
  passes: 3,
  parallelism: 4,
}

export const maxPasswordBytes = 1024

const tagLength = 32
/** Hashing takes a core and 64 MiB: two at a time leave the hub responsive. */
const maxConcurrent = 2
const maxQueued = 64
/** A stored hash that asks for more is damaged or hostile. */
const maxMemoryKiB = 1_048_576
const maxPasses = 16
const maxParallelism = 16

/**
 * Hashes and verifies passwords with argon2id, a bounded number at a time. Fails with
 * `too_many_requests` when too many already wait.
 */
export class PasswordHasher {
  readonly parameters: Argon2Parameters
  readonly #waiting: (() => void)[] = []
  #running = 0
  #decoy: Promise<string> | undefined

  constructor(parameters: Argon2Parameters = defaultArgon2Parameters) {
    this.parameters = parameters
  }

  /** PHC string: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`. */
  async hash(password: string): Promise<string> {
    const salt = randomBytes(16)
    const tag = await this.#derive(password, { ...this.parameters, salt, tagLength })
    return formatPhc(this.parameters, salt, tag)
  }

  /**
   * Whether the password is that of the hash. Without a hash it costs the same and is `false`, so
   * that the time does not tell whether an account exists.
   */
  async verify(password: string, hash: string | undefined): Promise<boolean> {
    const stored = hash === undefined ? undefined : parsePhc(hash)
    const compared = stored ?? parsePhc(await this.#decoyHash())
    if (compared === undefined) throw new TypeError('the decoy hash cannot be read')
    const { salt, tag, parameters } = compared
    const derived = await this.#derive(password, { ...parameters, salt, tagLength: tag.length })
    return timingSafeEqual(derived, tag) && stored !== undefined
  }

  /** Whether a stored hash was made with other parameters than today's. */
  isOutdated(hash: string): boolean {
    const stored = parsePhc(hash)
    if (stored === undefined) return true
    const { memoryKiB, passes, parallelism } = stored.parameters
    const wanted = this.parameters
    return (
      memoryKiB !== wanted.memoryKiB ||
      passes !== wanted.passes ||
      parallelism !== wanted.parallelism
    )
  }

  #decoyHash(): Promise<string> {
    this.#decoy ??= this.hash(randomBytes(16).toString('hex')).catch((error: unknown) => {
      this.#decoy = undefined
      throw error
    })
    return this.#decoy
  }

  async #derive(
    password: string,
    input: Argon2Parameters & { salt: Buffer; tagLength: number },
  ): Promise<Buffer> {
    const message = Buffer.from(password.normalize('NFC').toWellFormed(), 'utf8')
    if (message.length > maxPasswordBytes) throw new HubError('bad_request')
    await this.#enter()
    try {
      return await deriveTag(message, input)
    } finally {
      this.#leave()
    }
  }

  async #enter(): Promise<void> {
    if (this.#running < maxConcurrent) {
      this.#running += 1
      return
    }
    if (this.#waiting.length >= maxQueued) {
      throw new HubError('too_many_requests', {
        message: 'Too many people are signing in right now. Try again in a few seconds.',
        headers: { 'retry-after': '5' },
      })
    }
    // The place is handed over by whoever leaves, so `#running` stays as it is.
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  #leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#running -= 1
    else next()
  }
}

function deriveTag(
  message: Buffer,
  input: Argon2Parameters & { salt: Buffer; tagLength: number },
): Promise<Buffer> {
  const options = {
    message,
    nonce: input.salt,
    parallelism: input.parallelism,
    tagLength: input.tagLength,
    memory: input.memoryKiB,
    passes: input.passes,
  }
  return new Promise((resolve, reject) => {
    argon2('argon2id', options, (error, tag) => (error === null ? resolve(tag) : reject(error)))
  })
}

function formatPhc(parameters: Argon2Parameters, salt: Buffer, tag: Buffer): string {
  const { memoryKiB, passes, parallelism } = parameters
  const costs = `m=${memoryKiB},t=${passes},p=${parallelism}`
  return `$argon2id$v=19$${costs}$${unpadded(salt)}$${unpadded(tag)}`
}

function parsePhc(
  text: string,
): { parameters: Argon2Parameters; salt: Buffer; tag: Buffer } | undefined {
  const match =
    /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})\$([\w+/]{11,86})\$([\w+/]{22,86})$/.exec(
      text,
    )
  if (match === null) return undefined
  const [memoryKiB = 0, passes = 0, parallelism = 0] = match.slice(1, 4).map(Number)
  if (passes < 1 || passes > maxPasses || parallelism < 1 || parallelism > maxParallelism) {
    return undefined
  }
  if (memoryKiB < 8 * parallelism || memoryKiB > maxMemoryKiB) return undefined
  const salt = Buffer.from(match[4] ?? '', 'base64')
  const tag = Buffer.from(match[5] ?? '', 'base64')
  return { parameters: { memoryKiB, passes, parallelism }, salt, tag }
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}
