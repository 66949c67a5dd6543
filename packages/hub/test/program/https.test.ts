import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { connect } from 'node:tls'
import { afterEach, expect, test } from 'vitest'
import {
  hasOpenssl,
  makeCertificate,
} from '../../src/proxy/data-plane/tls/certificates-for-tests.ts'
import { TestInstallation } from '../support/hub-process.ts'
import { WebClient } from '../support/web-client.ts'

/** `JupyterHub.ssl_key` and `ssl_cert` with real processes. */
const chp = join(
  dirname(createRequire(import.meta.url).resolve('configurable-http-proxy/package.json')),
  'bin/configurable-http-proxy',
)

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function install(more: Readonly<Record<string, Readonly<Record<string, unknown>>>>) {
  const certificates = await mkdtemp(join(tmpdir(), 'orrery-https-'))
  cleanups.push(() => rm(certificates, { recursive: true, force: true }))
  const { keyPath, certPath } = makeCertificate(certificates, {
    name: 'first',
    names: ['hub.example'],
  })
  const orrery = await TestInstallation.create({
    https: true,
    homes: true,
    config: {
      ...more,
      JupyterHub: {
        spawner_class: 'simple',
        authenticator_class: 'dummy',
        ssl_key: keyPath,
        ssl_cert: certPath,
      },
      Authenticator: { allow_all: true },
    },
  })
  cleanups.push(() => orrery.destroy())
  return { orrery, keyPath, certPath, certificates }
}

async function signIn(orrery: TestInstallation): Promise<WebClient> {
  const client = new WebClient(orrery.url)
  cleanups.push(() => client.close())
  const home = await client.login('ada', '')
  expect(home).toMatchObject({ status: 200, url: '/hub/home' })
  return client
}

async function subjectAt(port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const { subject } = socket.getPeerCertificate()
  socket.destroy()
  return String(subject.CN)
}

test.skipIf(!hasOpenssl())(
  'the edge serves https with secure cookies, and new files without an interruption',
  async () => {
    const { orrery, keyPath, certPath, certificates } = await install({
      Orrery: { edge_args: ['--hsts=300'] },
    })
    await orrery.start()
    await orrery.until(() => orrery.output.includes(`running at https://127.0.0.1:${orrery.port}/`))
    const { cookieLines } = await signIn(orrery)
    for (const name of ['jupyterhub-hub-login', 'jupyterhub-session-id']) {
      const lines = cookieLines.filter((line) => line.startsWith(`${name}=`))
      expect(lines.length, name).toBeGreaterThan(0)
      for (const line of lines) expect(line).toMatch(/; ?secure/i)
    }
    const pid = orrery.edgePid()
    expect(await subjectAt(orrery.port)).toBe('first')

    const { keyPath: newKey, certPath: newCert } = makeCertificate(certificates, {
      name: 'second',
      names: ['hub.example'],
    })
    execFileSync('mv', [newKey, keyPath])
    execFileSync('mv', [newCert, certPath])
    await orrery.until(async () => (await subjectAt(orrery.port)) === 'second')
    expect(orrery.edgePid()).toBe(pid)

    await orrery.kill()
    await orrery.start()
    expect(orrery.edgePid()).toBe(pid)
    await signIn(orrery)
  },
  60_000,
)

test.skipIf(!hasOpenssl())('configurable-http-proxy is started with them', async () => {
  const { orrery } = await install({ ConfigurableHTTPProxy: { command: [process.execPath, chp] } })
  await orrery.start()
  await signIn(orrery)
  expect(await subjectAt(orrery.port)).toBe('first')
})

test.skipIf(!hasOpenssl())('a key that does not fit ends the start, by its option', async () => {
  const { orrery, keyPath, certificates } = await install({})
  const { keyPath: other } = makeCertificate(certificates, { name: 'other', names: ['x.example'] })
  execFileSync('mv', [other, keyPath])
  await orrery.start({ wait: false })
  expect(await orrery.exited()).toBe(1)
  expect(orrery.output).toContain('JupyterHub.ssl_key')
  expect(orrery.edgePid()).toBeUndefined()
})
