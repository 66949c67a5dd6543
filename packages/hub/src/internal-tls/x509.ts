import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  webcrypto,
  X509Certificate,
} from 'node:crypto'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  cryptoProvider,
  type Extension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate as ParsedCertificate,
  X509CertificateGenerator,
} from '@peculiar/x509'
import type { AltName } from './alt-names.ts'

/** A private key and the certificate of its public half. */
export interface KeyPair {
  readonly key: KeyObject
  /** PEM; for an authority or a component without its chain. */
  readonly certPem: string
}

export interface Validity {
  readonly notBefore: Date
  readonly notAfter: Date
}

cryptoProvider.set(webcrypto)

/** X.520: more than 64 characters are no common name. */
const maxCommonName = 64
const bothUsages = [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]

/** P-256: a hundred times faster to make than RSA of the same strength, and as well understood. */
export function createKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
}

export function keyToPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/**
 * An authority that signs itself and nothing but leaves.
 * @returns its certificate in PEM
 */
export async function signAuthority(
  key: KeyObject,
  input: { readonly name: string; readonly validity: Validity },
): Promise<string> {
  const keys = await toCryptoKeys(key)
  const name = [{ CN: [input.name.slice(0, maxCommonName)] }]
  const certificate = await X509CertificateGenerator.create({
    serialNumber: createSerial(),
    subject: name,
    issuer: name,
    ...input.validity,
    publicKey: keys.publicKey,
    signingKey: keys.privateKey,
    signingAlgorithm: keys.algorithm,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      new ExtendedKeyUsageExtension(bothUsages, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return closed(certificate.toString('pem'))
}

/**
 * A certificate for both ends of connections.
 * @param key - only its public half is used.
 * @returns the certificate in PEM
 */
export async function signLeaf(
  key: KeyObject,
  input: {
    readonly authority: KeyPair
    readonly commonName: string
    readonly names: readonly AltName[]
    readonly validity: Validity
  },
): Promise<string> {
  const { authority, commonName, names, validity } = input
  const issuer = new ParsedCertificate(authority.certPem)
  const signer = await toCryptoKeys(authority.key)
  const { publicKey } = await toCryptoKeys(key)
  const certificate = await X509CertificateGenerator.create({
    serialNumber: createSerial(),
    subject: [{ CN: [commonName.slice(0, maxCommonName)] }],
    issuer: issuer.subjectName, // byte for byte, or it would not be the issuer's
    ...validity,
    publicKey,
    signingKey: signer.privateKey,
    signingAlgorithm: signer.algorithm,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(bothUsages, true),
      await SubjectKeyIdentifierExtension.create(publicKey),
      await AuthorityKeyIdentifierExtension.create(signer.publicKey),
      ...namesExtension(names),
    ],
  })
  return closed(certificate.toString('pem'))
}

/** Whether the key is that of the certificate, and the authority signed it with the key it has now. */
export function isSignedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  return certificate.checkIssued(authority) && certificate.verify(authority.publicKey)
}

function namesExtension(names: readonly AltName[]): Extension[] {
  if (names.length === 0) return []
  return [new SubjectAlternativeNameExtension(names.map(({ type, value }) => ({ type, value })))]
}

interface CryptoKeys {
  readonly privateKey: webcrypto.CryptoKey
  readonly publicKey: webcrypto.CryptoKey
  /** How the private key signs. */
  readonly algorithm: { readonly name: string; readonly hash?: string }
}

/** Those that certipy makes are RSA; operators may bring either. */
async function toCryptoKeys(key: KeyObject): Promise<CryptoKeys> {
  const isRsa = key.asymmetricKeyType === 'rsa'
  const namedCurve = isRsa ? undefined : curveOf(key)
  const importAs = isRsa
    ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
    : { name: 'ECDSA', namedCurve: namedCurve ?? '' }
  const { subtle } = webcrypto
  const der = key.export({ type: 'pkcs8', format: 'der' })
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
  return {
    privateKey: await subtle.importKey('pkcs8', der, importAs, false, ['sign']),
    publicKey: await subtle.importKey('spki', spki, importAs, true, ['verify']),
    algorithm: isRsa ? { name: importAs.name } : { name: 'ECDSA', hash: 'SHA-256' },
  }
}

function curveOf(key: KeyObject): string {
  const curves: Readonly<Record<string, string>> = {
    prime256v1: 'P-256',
    secp384r1: 'P-384',
    secp521r1: 'P-521',
  }
  const curve = curves[key.asymmetricKeyDetails?.namedCurve ?? '']
  if (curve === undefined) throw new Error('the key is neither RSA nor on a NIST curve')
  return curve
}

/** @throws Error when the text holds no key that certificates can be signed with */
export function parseSigningKey(pem: string | Buffer): KeyObject {
  const key = createPrivateKey(pem)
  if (key.asymmetricKeyType !== 'rsa') curveOf(key)
  return key
}

/** Positive and not short. Source: RFC 5280 §4.1.2.2. */
function createSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes.toString('hex')
}

function closed(pem: string): string {
  return pem.endsWith('\n') ? pem : `${pem}\n`
}
