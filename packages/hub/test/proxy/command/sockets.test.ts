import { existsSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { connect } from 'node:net'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import * as kit from './peer-kit.ts'
import type { Running } from './peer-kit.ts'

/** All by Unix sockets. Source: contract proxy §1, §10. */

interface Got {
  readonly status: number | undefined
  readonly text: string
}

function ask(socketPath: string, path: string, method = 'GET', body = ''): Promise<Got> {
  return new Promise((resolve, reject) => {
    const headers = { Authorization: `token ${kit.token}` }
    const sent = request({ socketPath, path, method, headers, agent: false }, (res) => {
      let text = ''
      res.on('data', (chunk: Buffer) => (text += chunk.toString()))
      res.on('end', () => resolve({ status: res.statusCode, text }))
    })
    sent.on('error', reject).end(body)
  })
}

describe.each(kit.programs)('$name', (program) => {
  let at: { readonly public: string; readonly api: string; readonly metrics: string }
  let target: Awaited<ReturnType<typeof kit.serveEcho>>
  let running: Running

  beforeAll(async () => {
    const folder = await kit.temporaryFolder()
    at = {
      public: join(folder, 'public.sock'),
      api: join(folder, 'api.sock'),
      metrics: join(folder, 'metrics.sock'),
    }
    target = await kit.serveEcho(join(folder, 'target.sock'))
    const listen = ['--socket', at.public, '--api-socket', at.api, '--metrics-socket', at.metrics]
    running = kit.run(program, [...listen, '--default-target', target.url])
    for (const path of Object.values(at)) await kit.untilListening(running, path)
  })

  test('requests go through, to a target that is one, too', async () => {
    const { status, text } = await ask(at.public, '/x?y')
    expect([status, JSON.parse(text)]).toMatchObject([200, { url: '/x?y' }])
  })

  test.each(['http+unix', 'unix+http'])(
    'a target may be spelled %s, with a path',
    async (scheme) => {
      const url = `${target.url.replace('http+unix', scheme)}/below`
      const body = JSON.stringify({ target: url })
      expect((await ask(at.api, '/api/routes/spelled', 'POST', body)).status).toBe(201)
      const { text } = await ask(at.public, '/spelled/x')
      expect(JSON.parse(text)).toMatchObject({ url: '/below/spelled/x' })
    },
  )

  test('a WebSocket goes through', async () => {
    const socket = connect(at.public)
    kit.cleanups.push(() => socket.destroy())
    let got = ''
    socket.on('data', (chunk: Buffer) => (got += chunk.toString()))
    socket.write(kit.upgrade('/ws'))
    await vi.waitUntil(() => got.includes('101'), kit.patience)
    socket.write('hi')
    await vi.waitUntil(() => got.includes('echo:hi'), kit.patience)
    socket.destroy()
  })

  test('the API and the metrics answer', async () => {
    const routes = JSON.parse((await ask(at.api, '/api/routes')).text) as Record<string, unknown>
    expect(routes['/']).toMatchObject({ target: target.url })
    expect((await ask(at.metrics, '/metrics')).text).toMatch(/^requests_web \d+$/m)
  })

  test('a socket that is not there is a 503', async () => {
    const body = JSON.stringify({ target: 'http+unix://%2Fnowhere%2Fsock' })
    await ask(at.api, '/api/routes/away', 'POST', body)
    expect((await ask(at.public, '/away')).status).toBe(503)
  })

  test('after the end the files are gone', async () => {
    running.child.kill('SIGTERM')
    expect(await running.exited()).toBe(2)
    // configurable-http-proxy leaves them, and its next start fails.
    const left = Object.values(at).filter((path) => existsSync(path))
    expect(left).toHaveLength(program.isOurs ? 0 : 3)
  })
})
