import { text } from '../codecs.ts'
import { defineOptions } from '../option.ts'

/** TLS of the public proxy. */
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
})
