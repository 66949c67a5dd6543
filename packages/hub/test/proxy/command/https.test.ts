import { execFileSync } from 'node:child_process'
import { createServer, request as requestHttps } from 'node:https'
import { request as requestHttp } from 'node:http'
import type { RequestOptions } from 'node:https'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:tls'
import type { ConnectionOptions } from 'node:tls'
import { beforeAll, describe, expect, test } from 'vitest'
import type { CertificateFiles } from '../../../src/proxy/data-plane/tls/certificate-store.ts'
import {
  hasOpenssl,
  makeCertificate,
} from '../../../src/proxy/data-plane/tls/certificates-for-tests.ts'
import { freePort } from '../../support/ports.ts'
import * as kit from './peer-kit.ts'

/** Source: contract proxy §10, §10.1. */

interface Got {
  readonly status: number | undefined
  readonly location: string | undefined
  readonly text: string
}

function ask(url: string, options: RequestOptions = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? requestHttps : requestHttp
    const sent = send(url, { agent: false, ...options }, (res) => {
      let text = ''
      res.on('data', (chunk: Buffer) => (text += chunk.toString()))
      res.on('end', () => resolve({ status: res.statusCode, location: res.headers.location, text }))
    })
    sent.on('error', reject).end()
  })
}

describe.skipIf(!hasOpenssl()).each(kit.programs)('$name', (program) => {
  let pair: CertificateFiles
  let other: CertificateFiles
  let ca: Buffer
  let target: Awaited<ReturnType<typeof kit.serveMirror>>
  beforeAll(async () => {
    const folder = await kit.temporaryFolder()
    const names = ['localhost', 'IP:127.0.0.1']
    pair = makeCertificate(folder, { name: 'hub', names })
    other = makeCertificate(folder, { name: 'other', names })
    ca = readFileSync(pair.certPath)
    target = await kit.serveMirror()
  })
  const own = (side = ''): string[] => [
    `--${side}ssl-key`,
    pair.keyPath,
    `--${side}ssl-cert`,
    pair.certPath,
  ]

  test('requests come by HTTPS, and targets hear of it', async () => {
    const peer = await kit.start(program, [...own(), '--default-target', target.url])
    const { status, text } = await ask(`${peer.url}/x`, { ca })
    expect(status).toBe(200)
    expect((JSON.parse(text) as kit.Seen).headers).toMatchObject({
      'x-forwarded-proto': 'https',
      'x-forwarded-port': String(peer.port),
    })
  })

  test('--redirect-port leads there by 301, --redirect-to to another port', async () => {
    for (const to of [undefined, '4443']) {
      const redirectPort = await freePort()
      const flags = ['--redirect-port', `${redirectPort}`]
      if (to !== undefined) flags.push('--redirect-to', to)
      const peer = await kit.start(program, [...own(), ...flags])
      await kit.untilListening(peer, redirectPort)
      const { status, location } = await ask(`http://127.0.0.1:${redirectPort}/a%20b?c=d`)
      expect([status, location]).toEqual([301, `https://127.0.0.1:${to ?? peer.port}/a%20b?c=d`])
      const nameless = await kit.raw(redirectPort, 'GET / HTTP/1.0\r\n\r\n')
      expect(nameless).toMatch(/^HTTP\/1\.1 400 [^]*HTTPS/)
    }
  })

  test('the API by HTTPS lets in who has a certificate of its authority and the token', async () => {
    const [port, apiPort] = [await freePort(), await freePort()]
    const ports = ['--port', `${port}`, '--api-ip', '127.0.0.1', '--api-port', `${apiPort}`]
    const peers = ['--api-ssl-ca', pair.certPath, '--api-ssl-request-cert']
    const flags = [...ports, ...own('api-'), ...peers, '--api-ssl-reject-unauthorized']
    const running = kit.run(program, ['--ip', '127.0.0.1', ...flags])
    await kit.untilListening(running, apiPort)
    const url = `https://127.0.0.1:${apiPort}/api/routes`
    const headers = { Authorization: `token ${kit.token}` }
    const withPair = (files: CertificateFiles): RequestOptions => ({
      key: readFileSync(files.keyPath),
      cert: readFileSync(files.certPath),
      ca,
    })
    expect((await ask(url, { ...withPair(pair), headers })).status).toBe(200)
    expect((await ask(url, withPair(pair))).status).toBe(403)
    await expect(ask(url, { ca, headers })).rejects.toThrow()
    await expect(ask(url, { ...withPair(other), headers })).rejects.toThrow()
  })

  test('a target by HTTPS is checked, and shown our certificate; so is an error target', async () => {
    const seen: (string | undefined)[] = []
    const secure = createServer(
      {
        key: readFileSync(pair.keyPath),
        cert: ca,
        ca,
        requestCert: true,
        rejectUnauthorized: true,
      },
      (req, res) => {
        seen.push(req.url)
        res.end('secure')
      },
    ).listen(0, '127.0.0.1')
    await once(secure, 'listening')
    kit.cleanups.push(() => {
      secure.closeAllConnections()
      secure.close()
    })
    const url = `https://127.0.0.1:${(secure.address() as AddressInfo).port}`
    const client = [...own('client-'), '--client-ssl-ca', pair.certPath]
    const trusting = await kit.start(program, [...client, '--error-target', `${url}/error`])
    await trusting.addRoute('/secure', url)
    expect(await (await trusting.ask('/secure/x')).text()).toBe('secure')
    const missing = await trusting.ask('/nowhere')
    expect([missing.status, await missing.text()]).toEqual([404, 'secure'])
    expect(seen).toEqual(['/secure/x', '/error/404?url=%2Fnowhere'])
    const strange = await kit.start(program, ['--default-target', url])
    expect((await strange.ask('/x')).status).toBe(503)
  })

  test('clients of the public side can be asked for a certificate', async () => {
    const asking = ['--ssl-ca', pair.certPath, '--ssl-request-cert', '--ssl-reject-unauthorized']
    const peer = await kit.start(program, [...own(), ...asking])
    const url = `${peer.url}/_chp_healthz`
    const mine = { key: readFileSync(pair.keyPath), cert: ca, ca }
    expect((await ask(url, mine)).status).toBe(200)
    await expect(ask(url, { ca })).rejects.toThrow()
  })

  test('versions and ciphers are those that the flags name', async () => {
    const flags = ['--ssl-protocol', 'TLSv1_2', '--ssl-ciphers', 'ECDHE-ECDSA-AES256-GCM-SHA384']
    const peer = await kit.start(program, [...own(), ...flags])
    const spoken = (options: ConnectionOptions): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect({ host: '127.0.0.1', port: peer.port, ca, ...options }, () => {
          resolve(`${socket.getProtocol()} ${socket.getCipher().name}`)
          socket.destroy()
        })
        socket.on('error', reject)
      })
    expect(await spoken({})).toBe('TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384')
    await expect(spoken({ minVersion: 'TLSv1.3' })).rejects.toThrow()
    await expect(spoken({ ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })).rejects.toThrow()
  })

  test('--insecure takes any certificate of a target, in the edge', async () => {
    const secure = createServer({ key: readFileSync(pair.keyPath), cert: ca }, (_req, res) => {
      res.end('secure')
    }).listen(0, '127.0.0.1')
    await once(secure, 'listening')
    kit.cleanups.push(() => {
      secure.closeAllConnections()
      secure.close()
    })
    const url = `https://127.0.0.1:${(secure.address() as AddressInfo).port}`
    const peer = await kit.start(program, ['--insecure', '--default-target', url])
    // Since configurable-http-proxy 5 it has no effect there.
    expect((await peer.ask('/x')).status).toBe(program.isOurs ? 200 : 503)
  })

  test('a key with a password is opened by the environment', async () => {
    const folder = await kit.temporaryFolder()
    const locked = makeCertificate(folder, { name: 'locked', names: ['IP:127.0.0.1'] })
    const path = `${locked.keyPath}.locked`
    const args = ['pkey', '-in', locked.keyPath, '-aes256', '-passout', 'pass:word', '-out', path]
    execFileSync('openssl', args, { stdio: 'ignore' })
    const flags = ['--ssl-key', path, '--ssl-cert', locked.certPath]
    const env = { CONFIGPROXY_AUTH_TOKEN: kit.token, CONFIGPROXY_SSL_KEY_PASSPHRASE: 'word' }
    const peer = await kit.start(program, flags, env)
    const got = await ask(`${peer.url}/_chp_healthz`, { ca: readFileSync(locked.certPath) })
    expect(got.status).toBe(200)
  })
})
