import { Agent, type Dispatcher } from 'undici'
import { messageOf } from '../domain/errors.ts'
import {
  type InternalCertificates,
  type InternalCertificatesOptions,
  type Material,
  openInternalCertificates,
} from './internal-certificates.ts'

/** What a hub with `internal_ssl` proves itself with and checks others by. */
export interface InternalTls {
  readonly certificates: InternalCertificates
  /** For the hub's calls to servers, services and the proxy. */
  dispatcher(): Dispatcher
  /** Calls back when the hub's own certificate, or whom it trusts, has changed. */
  onRenewed(listener: (material: Material) => void): void
  close(): Promise<void>
}

export interface InternalTlsOptions extends InternalCertificatesOptions {
  readonly warn: (message: string) => void
}

const renewalMs = 12 * 3_600_000
const connectTimeoutMs = 10_000

/**
 * Opens the certificates and keeps them from running out, from now until `close`.
 * @throws ConfigError that names option, file and remedy
 */
export async function openInternalTls(options: InternalTlsOptions): Promise<InternalTls> {
  const certificates = await openInternalCertificates(options)
  const listeners: ((material: Material) => void)[] = []
  let agent = createAgent(certificates.hubMaterial())
  let renewing: Promise<void> = Promise.resolve()

  async function renew(): Promise<void> {
    try {
      if (!(await certificates.renew())) return
      const old = agent
      const material = certificates.hubMaterial()
      agent = createAgent(material)
      for (const listener of listeners) listener(material)
      await old.close()
    } catch (error) {
      options.warn(`the internal certificates could not be renewed: ${messageOf(error)}`)
    }
  }

  const timer = setInterval(() => {
    renewing = renew()
  }, renewalMs)
  timer.unref()

  return {
    certificates,
    dispatcher: () => agent,
    onRenewed: (listener) => void listeners.push(listener),
    async close() {
      clearInterval(timer)
      await renewing
      await agent.destroy()
    },
  }
}

/** Names are checked: a certificate counts for the host that was asked only. */
function createAgent({ key, cert, ca }: Material): Agent {
  return new Agent({ allowH2: false, connect: { key, cert, ca, timeout: connectTimeoutMs } })
}
