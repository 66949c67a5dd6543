import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { CertificatePaths, ServerCertificate, SpawnRequest } from '../../plugin-api/spawner.ts'
import type { ProcessOwner } from './process-spawner.ts'
import type { ProcessState } from './state.ts'

/** A certificate, and the folder that the server's own user makes for it. */
export interface PlacedCertificate {
  readonly folder: string
  readonly paths: CertificatePaths
  readonly content: ServerCertificate
}

/**
 * Makes the certificate of a run and chooses its place: the folder of the run, or, for another
 * system user, one in that user's home, where the hub itself must not write: what it found there
 * could be a link to anywhere.
 * Source: JupyterHub 6.1 spawner.py, `move_certs`.
 * Differs from JupyterHub: servers of one user do not share a folder, which each of them empties.
 */
export async function placeCertificate(input: {
  readonly request: SpawnRequest
  readonly state: ProcessState
  readonly owner: ProcessOwner
  /** Of the spawner: tells its servers from others of the same name. */
  readonly dataDir: string
}): Promise<PlacedCertificate | undefined> {
  const { request, state, owner, dataDir } = input
  if (state.tls !== true) return undefined
  if (request.issueCertificate === undefined) {
    throw new Error('JupyterHub.internal_ssl was turned off meanwhile; start the server again')
  }
  const content = await request.issueCertificate(isEverywhere(state.ip) ? [] : [state.ip])
  const folder =
    owner.runAs === undefined
      ? join(state.runDir, 'certificate')
      : join(homeOf(owner), '.jupyterhub', 'jupyterhub-certs', nameOf(request, dataDir))
  const paths = {
    keyPath: join(folder, 'server.key'),
    certPath: join(folder, 'server.crt'),
    caPath: join(folder, 'ca.crt'),
  }
  return { folder, paths, content }
}

function isEverywhere(ip: string): boolean {
  return ip === '' || ip === '0.0.0.0' || ip === '::'
}

/** A service may be given another working folder. */
function homeOf(owner: ProcessOwner): string {
  return owner.environment['HOME'] ?? owner.home
}

/** The same for each start of a server, so that homes do not fill up. */
function nameOf({ username, serverName }: SpawnRequest, dataDir: string): string {
  const text = JSON.stringify([dataDir, username, serverName])
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}
