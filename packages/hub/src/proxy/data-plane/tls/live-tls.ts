import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { messageOf } from '../../../domain/errors.ts'
import type { EdgeLog } from '../context.ts'
import { stampsOf } from './file-stamps.ts'
import { type ProtocolFlags, readTls, type TlsFlags } from './tls-setup.ts'

/** What a side of TLS is set up with now: another object once its files have changed. */
export interface LiveTls {
  readonly current: Awaited<ReturnType<typeof readTls>>
  onChange(listener: () => void): void
  close(): void
}

const defaultCheckIntervalMs = 5_000

export interface LiveTlsOptions {
  readonly protocol: ProtocolFlags
  readonly log: EdgeLog
  /** How often the files are looked at. */
  readonly checkIntervalMs?: number
}

/**
 * Reads the files of one side, and again when they change; connections that are open stay. Files
 * that cannot be used later on are not, and say so in the log.
 * @throws Error that says what is wrong with them at first
 */
export async function openLiveTls(
  flags: TlsFlags,
  { protocol, log, checkIntervalMs = defaultCheckIntervalMs }: LiveTlsOptions,
): Promise<LiveTls> {
  const paths = [flags.keyPath, flags.certPath, flags.caPath].filter((path) => path !== undefined)
  let stamps = await stampsOf(paths)
  let current = await readChecked(flags, protocol)
  const listeners: (() => void)[] = []
  let isBusy = false
  /** Why new files are not used, as it was said last. */
  let complaint = ''

  async function check(): Promise<void> {
    const seen = await stampsOf(paths)
    if (seen === stamps) return
    try {
      current = await readChecked(flags, protocol)
      stamps = seen
      complaint = ''
      for (const listener of listeners) listener()
      log('info', `read again: ${paths.join(', ')}`)
    } catch (error) {
      // They are tried again: it may not have been the files that were at fault.
      const reason = messageOf(error)
      if (reason !== complaint) log('error', `the new files are not used: ${reason}`)
      complaint = reason
    }
  }

  const timer = setInterval(() => {
    if (isBusy || paths.length === 0) return
    isBusy = true
    void check().finally(() => (isBusy = false))
  }, checkIntervalMs)
  timer.unref()

  return {
    get current() {
      return current
    },
    onChange: (listener) => void listeners.push(listener),
    close: () => clearInterval(timer),
  }
}

async function readChecked(flags: TlsFlags, protocol: ProtocolFlags): Promise<LiveTls['current']> {
  const tls = await readTls(flags, protocol)
  createSecureContext(tls)
  checkFit(tls, flags)
  return tls
}

/** Key and certificate are replaced one after the other: in between they do not fit. */
function checkFit({ key, cert, passphrase }: SecureContextOptions, flags: TlsFlags): void {
  if (!Buffer.isBuffer(key) || !Buffer.isBuffer(cert)) return
  const privateKey = createPrivateKey({ key, ...(passphrase !== undefined && { passphrase }) })
  if (new X509Certificate(cert).checkPrivateKey(privateKey)) return
  throw new Error(
    `${flags.keyPath ?? ''} is not the key of the certificate in ${flags.certPath ?? ''}`,
  )
}
