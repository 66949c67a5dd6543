import { type Codec, ValueMismatch } from '../codec.ts'
import { boolean, text } from '../codecs.ts'
import { listOf, mapOf, optional, struct } from '../codecs-lists.ts'
import { defineOptions } from '../option.ts'
import { parseAltName } from '../../internal-tls/alt-names.ts'

/** `DNS:host`, `IP:address`, or either alone. */
const altName: Codec<string> = {
  ...text,
  describe: "name such as 'DNS:hub.example' or 'IP:10.0.0.1'",
  decode(value, context) {
    const name = text.decode(value, context)
    if (parseAltName(name) === undefined) throw new ValueMismatch(`must be a ${this.describe}.`)
    return name
  },
}

export const altNames = listOf(altName)

const authorities = ['hub-ca', 'notebooks-ca', 'proxy-api-ca', 'proxy-client-ca', 'services-ca']
const authorityFiles = mapOf(
  struct({ key: optional(text), cert: optional(text), ca: optional(text) }),
)
const externalAuthorities: typeof authorityFiles = {
  ...authorityFiles,
  decode(value, context) {
    const found = authorityFiles.decode(value, context)
    for (const name of Object.keys(found)) {
      if (!authorities.includes(name)) {
        throw new ValueMismatch(`has '${name}', and there are ${authorities.join(', ')}.`)
      }
    }
    return found
  },
}

/** TLS of the public proxy, and between hub, proxy, services and servers. */
export const tlsOptions = defineOptions({
  ssl_key: {
    type: text,
    default: '',
    summary: "File with the private key, in PEM, of the public proxy's HTTPS; goes with ssl_cert.",
  },
  ssl_cert: {
    type: text,
    default: '',
    summary:
      'File with the certificate and its chain, in PEM, of the public proxy, which then speaks HTTPS.',
  },
  internal_ssl: {
    type: boolean,
    default: false,
    summary:
      'Hub, proxy, services and servers speak HTTPS with each other and show certificates, which the hub makes.',
  },
  internal_certs_location: {
    type: text,
    default: 'internal-ssl',
    summary: 'Folder for the authorities and certificates of internal_ssl.',
  },
  recreate_internal_certs: {
    type: boolean,
    default: false,
    summary:
      'Make all certificates of internal_ssl new at start; servers that run have to be started again.',
  },
  external_ssl_authorities: {
    type: externalAuthorities,
    default: {},
    summary:
      "Authorities to use instead of those that the hub makes: {'hub-ca': {'key': FILE, 'cert': FILE, 'ca': FILE}}.",
  },
  trusted_alt_names: {
    type: altNames,
    default: [],
    summary:
      "Further names in the certificates of internal_ssl, such as 'DNS:hub.internal' or 'IP:10.0.0.1'.",
  },
  generate_certs: {
    type: boolean,
    default: false,
    summary: 'Make the certificates of internal_ssl and exit.',
  },
})
