import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

const ivBytes = 12
const tagBytes = 16

export interface Sealing {
  /** The hub's cookie secret; every hub on the store has the same. */
  readonly secret: Buffer
  /** Bound to the text: a sealed text opens under its own name only. */
  readonly name: string
}

/** Encrypts and authenticates a text: base64 of nonce, tag and AES-256-GCM ciphertext. */
export function sealText(text: string, sealing: Sealing): string {
  const iv = randomBytes(ivBytes)
  const cipher = createCipheriv('aes-256-gcm', keyOf(sealing), iv).setAAD(nameOf(sealing))
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64')
}

/** @returns `undefined` for what another secret sealed, or nobody did */
export function openSealedText(sealed: string, sealing: Sealing): string | undefined {
  const bytes = Buffer.from(sealed, 'base64')
  if (bytes.length < ivBytes + tagBytes) return undefined
  const decipher = createDecipheriv('aes-256-gcm', keyOf(sealing), bytes.subarray(0, ivBytes), {
    authTagLength: tagBytes,
  })
  decipher.setAAD(nameOf(sealing)).setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes))
  try {
    const text = decipher.update(bytes.subarray(ivBytes + tagBytes))
    return Buffer.concat([text, decipher.final()]).toString('utf8')
  } catch {
    return undefined
  }
}

function keyOf({ secret }: Sealing): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', 'orrery signing keys', 32))
}

function nameOf({ name }: Sealing): Buffer {
  return Buffer.from(name, 'utf8')
}
