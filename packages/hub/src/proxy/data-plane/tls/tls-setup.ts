import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { SecureContextOptions, TlsOptions } from 'node:tls'
import { messageOf } from '../../../domain/errors.ts'
import type { EdgeLog } from '../context.ts'
import type { TlsFrontOptions } from '../front-door.ts'
import { closeGently, type Listen, listen } from '../listen.ts'
import type { AcmeManager } from './acme.ts'
import {
  type CertificateFiles,
  type CertificateStore,
  openCertificateStore,
} from './certificate-store.ts'
import { createRedirectServer } from './redirect-server.ts'
import { SessionTickets, TicketKeys } from './session-tickets.ts'

/** How one side of TLS is set up, as command-line flags say it. */
export interface TlsFlags {
  readonly keyPath?: string
  readonly certPath?: string
  readonly passphrase?: string
  /** Certificates, in PEM, that the other side's certificate is checked against. */
  readonly caPath?: string
  readonly requestCert: boolean
  readonly rejectUnauthorized: boolean
}

export interface AcmeFlags {
  readonly names: readonly string[]
  readonly email?: string
  readonly directoryUrl: string
  readonly authorityCaPath?: string
  readonly folder: string
}

/** TLS of the public listener. */
export interface PublicTlsFlags {
  /** Key and certificate by host name; the first is that of clients which name none. */
  readonly files: readonly CertificateFiles[]
  readonly side: Pick<TlsFlags, 'caPath' | 'requestCert' | 'rejectUnauthorized'>
  readonly protocol: ProtocolFlags
  readonly hasHttp2: boolean
  readonly hstsSeconds: number
  readonly acme?: AcmeFlags
  readonly redirect?: { readonly port: number; readonly toPort: number }
}

/** Of every side: `--ssl-protocol`, `--ssl-ciphers`, `--ssl-dhparam`. */
export interface ProtocolFlags {
  readonly settings: Pick<SecureContextOptions, 'minVersion' | 'maxVersion' | 'ciphers'>
  readonly dhparamPath?: string
}

/** What every listener of the public side needs; `files` include those that an authority issues. */
export interface FrontTlsFlags extends Omit<PublicTlsFlags, 'acme' | 'redirect'> {
  /** Of session tickets; of its own unless given. */
  readonly ticketKeys?: Uint8Array
}

export interface FrontTls {
  readonly front: TlsFrontOptions & { readonly hstsSeconds: number }
  readonly certificates: CertificateStore
  readonly tickets: SessionTickets
}

/** What the public side needs once, however many listen. */
export interface TlsHelpers {
  readonly frontFlags: FrontTlsFlags
  /** Port of the redirect to HTTPS, if there is one. */
  readonly redirectPort: number | undefined
  close(): Promise<void>
}

export interface TlsHelperOptions {
  readonly log: EdgeLog
  /** Makes sure of a place before it is listened on. */
  readonly open: (at: Listen) => Promise<Listen>
  /** New files of an authority are there. */
  readonly onIssued: () => void
  readonly onTicketKeys: (keys: Uint8Array) => void
}

/**
 * Starts the redirect, and sees to certificates that an authority issues and to the keys of session
 * tickets. Rejects with an error for people when the port is taken.
 */
export async function openTlsHelpers(
  flags: PublicTlsFlags,
  { log, open, onIssued, onTicketKeys }: TlsHelperOptions,
): Promise<TlsHelpers> {
  const { acme: acmeFlags, redirect: redirectFlags, ...frontFlags } = flags
  let acme: AcmeManager | undefined
  const redirect = redirectFlags && (await startRedirect(redirectFlags, open, () => acme))
  try {
    acme = acmeFlags && (await openAcme(acmeFlags, log, async () => onIssued()))
  } catch (error) {
    redirect?.close()
    throw error
  }
  const ticketKeys = new TicketKeys(onTicketKeys)
  return {
    frontFlags: {
      ...frontFlags,
      ticketKeys: ticketKeys.current,
      files: [...(acme === undefined ? [] : [acme.files]), ...flags.files],
    },
    redirectPort: redirect && (redirect.address() as AddressInfo).port,
    async close() {
      ticketKeys.close()
      if (redirect) await closeGently([redirect])
      await acme?.close()
    },
  }
}

/** Reads certificates. Rejects with an error for people when a file cannot be used. */
export async function openFrontTls(flags: FrontTlsFlags, log: EdgeLog): Promise<FrontTls> {
  const { files, hasHttp2, hstsSeconds, side, protocol } = flags
  const settings = {
    read: async () => ({ ...(await readProtocol(protocol)), ...(await readPeers(side)) }),
    paths: [side.caPath, protocol.dhparamPath].filter((path) => path !== undefined),
  }
  const certificates = await openCertificateStore({ files, settings, log })
  const tickets = new SessionTickets(flags.ticketKeys)
  const { requestCert, rejectUnauthorized } = side
  const front = { certificates, tickets, requestCert, rejectUnauthorized, hasHttp2, hstsSeconds }
  return { front, certificates, tickets }
}

async function openAcme(
  flags: AcmeFlags,
  log: EdgeLog,
  onIssued: () => Promise<unknown>,
): Promise<AcmeManager> {
  const { authorityCaPath, ...options } = flags
  const authorityCa = authorityCaPath === undefined ? undefined : await readFile(authorityCaPath)
  // Loaded when asked for: its client is three hundred files, which every worker would read.
  const { startAcme } = await import('./acme.ts')
  return startAcme({ ...options, log, ...(authorityCa !== undefined && { authorityCa }) }, onIssued)
}

async function startRedirect(
  { port, toPort }: { readonly port: number; readonly toPort: number },
  open: TlsHelperOptions['open'],
  acme: () => AcmeManager | undefined,
): Promise<Server> {
  const findChallenge = async (token: string) => acme()?.findChallenge(token)
  const server = createRedirectServer({ toPort, findChallenge })
  await listen(server, await open({ ip: undefined, port }))
  return server
}

/** Settings of a listener or of connections to targets, its certificate included. */
export async function readTls(
  flags: TlsFlags,
  protocol: ProtocolFlags,
): Promise<SecureContextOptions & Pick<TlsOptions, 'requestCert' | 'rejectUnauthorized'>> {
  const { keyPath, certPath, passphrase } = flags
  return {
    ...(await readProtocol(protocol)),
    ...(await readPeers(flags)),
    ...(keyPath !== undefined && { key: await readFile(keyPath) }),
    ...(certPath !== undefined && { cert: await readFile(certPath) }),
    ...(passphrase !== undefined && { passphrase }),
  }
}

async function readPeers(
  flags: Pick<TlsFlags, 'caPath' | 'requestCert' | 'rejectUnauthorized'>,
): Promise<Pick<TlsOptions, 'ca' | 'requestCert' | 'rejectUnauthorized'>> {
  const { caPath, requestCert, rejectUnauthorized } = flags
  return {
    ...(caPath !== undefined && { ca: await readAuthorities(caPath) }),
    requestCert,
    rejectUnauthorized,
  }
}

/** Node takes a file without a certificate, and then trusts nobody. */
async function readAuthorities(path: string): Promise<Buffer> {
  const pem = await readFile(path)
  try {
    void new X509Certificate(pem)
    return pem
  } catch (error) {
    throw new Error(`${path} holds no certificate: ${messageOf(error)}`, { cause: error })
  }
}

async function readProtocol(protocol: ProtocolFlags): Promise<SecureContextOptions> {
  const { settings, dhparamPath } = protocol
  return {
    ...settings,
    ...(dhparamPath !== undefined && { dhparam: await readFile(dhparamPath) }),
  }
}
