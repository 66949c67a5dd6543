import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { beforeEach, expect, test, vi } from 'vitest'
import { cleanups, temporaryFolder } from '../edge-test-kit.ts'
import { type AcmeManager, type AcmeOptions, startAcme } from './acme.ts'
import { makeCertificate } from './certificates-for-tests.ts'
import { createRedirectServer } from './redirect-server.ts'
import { freePort } from '../../../../test/support/ports.ts'

const patience = { timeout: 20_000 }
let folder: string
const said: string[] = []

beforeEach(async (context) => {
  if (!hasPebble()) context.skip('no pebble on this machine')
  folder = await temporaryFolder()
  said.length = 0
})

function hasPebble(): boolean {
  try {
    execFileSync('sh', [
      '-c',
      'command -v pebble && command -v pebble-challtestsrv && openssl version',
    ])
    return true
  } catch {
    return false
  }
}

/** Debian's pebble: an authority for tests, that looks names up at a server of the test's own. */
async function startAuthority(httpPort: number) {
  const [api, management, dns, dnsApi] = await Promise.all([0, 0, 0, 0].map(freePort))
  const { keyPath, certPath } = makeCertificate(folder, { name: 'ca', names: ['IP:127.0.0.1'] })
  const config = {
    pebble: {
      listenAddress: `127.0.0.1:${api}`,
      managementListenAddress: `127.0.0.1:${management}`,
      certificate: certPath,
      privateKey: keyPath,
      httpPort,
      tlsPort: 1,
    },
  }
  const path = join(folder, 'pebble.json')
  writeFileSync(path, JSON.stringify(config))
  const names = ['-dns01', `127.0.0.1:${dns}`, '-management', `127.0.0.1:${dnsApi}`]
  names.push('-http01', '', '-https01', '', '-tlsalpn01', '', '-defaultIPv6', '')
  run('pebble-challtestsrv', names)
  run('pebble', ['-config', path, '-dnsserver', `127.0.0.1:${dns}`])
  const directoryUrl = `https://127.0.0.1:${api}/dir`
  const authorityCa = readFileSync(certPath)
  await vi.waitUntil(() => answers(directoryUrl, authorityCa), patience)
  return { directoryUrl, authorityCa }
}

function run(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, {
    stdio: 'ignore',
    env: { ...process.env, PEBBLE_VA_NOSLEEP: '1' },
  })
  cleanups.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  return child
}

function answers(url: string, ca: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    request(url, { ca }, (res) => resolve(res.resume().statusCode === 200))
      .on('error', () => resolve(false))
      .end()
  })
}

test('a certificate is issued by HTTP challenge, kept, and renewed when its time has come', async () => {
  let manager: AcmeManager | undefined
  const redirect = createRedirectServer({
    toPort: 443,
    findChallenge: async (token) => manager?.findChallenge(token),
  })
  redirect.listen(0, '127.0.0.1')
  await once(redirect, 'listening')
  cleanups.push(() => void redirect.close())
  const { port } = redirect.address() as AddressInfo
  const base: AcmeOptions = {
    names: ['hub.example.test', 'users.example.test'],
    email: 'operator@example.test',
    ...(await startAuthority(port)),
    folder: join(folder, 'acme'),
    log: (level, message) => said.push(`${level} ${message}`),
  }

  const issued = vi.fn<() => Promise<void>>(() => Promise.resolve())
  const start = async (options: Partial<AcmeOptions> = {}) => {
    manager = await startAcme({ ...base, ...options }, issued)
    cleanups.push(() => manager?.close())
    return manager
  }
  const first = await start()
  await vi
    .waitUntil(() => issued.mock.calls.length === 1, patience)
    .catch((error: unknown) => {
      throw new Error(said.join('\n'), { cause: error })
    })
  const certificate = new X509Certificate(readFileSync(first.files.certPath))
  expect(certificate.checkHost('users.example.test')).toBe('users.example.test')
  expect(statSync(first.files.keyPath).mode & 0o777).toBe(0o600)
  expect(await first.findChallenge('../account.pem')).toBeUndefined()
  await first.close()

  // Started again it has what it needs.
  const unneeded = await start()
  await unneeded.close()
  expect(issued).toHaveBeenCalledTimes(1)

  const later = new Date(certificate.validToDate.getTime() - 86_400_000)
  const renewing = await start({ now: () => later })
  await vi.waitUntil(() => issued.mock.calls.length === 2, patience)
  await renewing.close()
  const renewed = new X509Certificate(readFileSync(first.files.certPath))
  expect(renewed.serialNumber).not.toBe(certificate.serialNumber)
}, 60_000)

test('an authority that cannot be reached is logged, and the edge goes on', async () => {
  const manager = await startAcme(
    {
      names: ['hub.example.test'],
      directoryUrl: 'https://127.0.0.1:9/dir',
      folder: join(folder, 'acme'),
      log: (level, message) => said.push(`${level} ${message}`),
    },
    () => Promise.resolve(),
  )
  await vi.waitUntil(() => said.some((line) => line.startsWith('error no certificate')), patience)
  await manager.close()
}, 60_000)
