import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { SecureContextOptions, TlsOptions } from 'node:tls'
import type { EdgeLog } from '../context.ts'
import type { TlsFrontOptions } from '../front-door.ts'
import { type AcmeManager, startAcme } from './acme.ts'
import { type CertificateFiles, openCertificateStore } from './certificate-store.ts'
import { createRedirectServer } from './redirect-server.ts'

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

export interface PublicTls {
  readonly front: TlsFrontOptions & { readonly hstsSeconds: number }
  /** Port of the redirect to HTTPS, if there is one. */
  readonly redirectPort: number | undefined
  close(): Promise<void>
}

/**
 * Reads certificates, starts the redirect, and sees to certificates that an authority issues.
 * Rejects with an error for people when a file cannot be used or the port is taken.
 */
export async function openPublicTls(flags: PublicTlsFlags, log: EdgeLog): Promise<PublicTls> {
  const settings = { ...(await readProtocol(flags.protocol)), ...(await readPeers(flags.side)) }
  let acme: AcmeManager | undefined
  const redirect = flags.redirect && (await startRedirect(flags.redirect, () => acme))
  try {
    const reload = Promise.withResolvers<() => Promise<boolean>>()
    acme = flags.acme && (await openAcme(flags.acme, log, async () => (await reload.promise)()))
    const files = [...(acme === undefined ? [] : [acme.files]), ...flags.files]
    const certificates = await openCertificateStore({ files, settings, log })
    reload.resolve(() => certificates.reload())
    return {
      front: { certificates, settings, hasHttp2: flags.hasHttp2, hstsSeconds: flags.hstsSeconds },
      redirectPort: redirect && (redirect.address() as AddressInfo).port,
      async close() {
        certificates.close()
        redirect?.close()
        redirect?.closeAllConnections()
        await acme?.close()
      },
    }
  } catch (error) {
    redirect?.close()
    await acme?.close()
    throw error
  }
}

async function openAcme(
  flags: AcmeFlags,
  log: EdgeLog,
  onIssued: () => Promise<unknown>,
): Promise<AcmeManager> {
  const { authorityCaPath, ...options } = flags
  const authorityCa = authorityCaPath === undefined ? undefined : await readFile(authorityCaPath)
  return startAcme({ ...options, log, ...(authorityCa !== undefined && { authorityCa }) }, onIssued)
}

async function startRedirect(
  { port, toPort }: { readonly port: number; readonly toPort: number },
  acme: () => AcmeManager | undefined,
): Promise<Server> {
  const findChallenge = async (token: string) => acme()?.findChallenge(token)
  const server = createRedirectServer({ toPort, findChallenge }).listen(port)
  await once(server, 'listening')
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
    ...(caPath !== undefined && { ca: await readFile(caPath) }),
    requestCert,
    rejectUnauthorized,
  }
}

async function readProtocol(protocol: ProtocolFlags): Promise<SecureContextOptions> {
  const { settings, dhparamPath } = protocol
  return {
    ...settings,
    ...(dhparamPath !== undefined && { dhparam: await readFile(dhparamPath) }),
  }
}
