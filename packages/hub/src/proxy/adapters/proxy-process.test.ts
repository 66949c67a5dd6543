import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test, vi } from 'vitest'
import { cleanups, raw, serveEcho, temporaryFolder, upgrade } from '../data-plane/edge-test-kit.ts'
import { startProxyProcess } from './proxy-process.ts'
import type { ProxyProcess } from './proxy-process.ts'
import { freePort } from '../../../test/support/ports.ts'

const patience = { timeout: 15_000 }
const main = fileURLToPath(new URL('../../main.ts', import.meta.url))
const logger = { info: () => undefined, warn: vi.fn(), error: vi.fn() }

/** Starts an edge as a hub does; the ports and the folder are those of the one before. */
async function edgeProcesses(): Promise<{
  port: number
  dataDir: string
  start(...flags: string[]): Promise<ProxyProcess>
}> {
  const dataDir = await temporaryFolder()
  const [port, apiPort] = [await freePort(), await freePort()]
  const pidPath = join(dataDir, 'edge.pid')
  const listen = ['--ip', '127.0.0.1', '--port', String(port), '--api-port', String(apiPort)]
  return {
    port,
    dataDir,
    async start(...flags) {
      const started = await startProxyProcess({
        name: 'edge',
        command: [process.execPath, '--disable-warning=ExperimentalWarning', main, 'edge'],
        args: [...listen, '--pid-file', pidPath, '--workers', '2', ...flags],
        authToken: 'secret',
        healthUrl: new URL(`http://127.0.0.1:${port}/_chp_healthz`),
        succession: { flag: '--successor', pidPath },
        dataDir,
        checkIntervalMs: 500,
        logger,
      })
      cleanups.push(() => started.stop())
      return started
    },
  }
}

async function openWebSocket(port: number): Promise<{ socket: Socket; got: () => string }> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined)
  cleanups.push(() => socket.destroy())
  let got = ''
  socket.on('data', (chunk: Buffer) => (got += chunk.toString()))
  socket.write(upgrade('/'))
  await vi.waitUntil(() => got.includes('101'), patience)
  return { socket, got: () => got }
}

test('an edge with other flags takes over: no connection is refused, a WebSocket lives till its deadline', async () => {
  const target = await serveEcho()
  let sites = new Set<unknown>()
  target.on('request', (req) => sites.add(req.headers['x-site']))
  const edges = await edgeProcesses()
  const flags = ['--default-target', target.url, '--drain-websockets', '2500', '--custom-header']
  const first = await edges.start(...flags, 'X-Site: one')
  const { socket, got } = await openWebSocket(edges.port)
  let isOver = false
  const answers: string[] = []
  const asking = (async () => {
    while (!isOver) {
      const text = await raw(edges.port, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
      answers.push(text.slice(0, 15))
    }
  })()
  await vi.waitUntil(() => answers.length > 20, patience)
  expect(sites).toEqual(new Set(['one']))
  first.release()
  await edges.start(...flags, 'X-Site: two')
  const replacedAt = performance.now()
  socket.write('still here')
  await vi.waitUntil(() => got().includes('echo:still here'), patience)
  await vi.waitUntil(() => socket.destroyed, patience)
  expect(performance.now() - replacedAt).toBeGreaterThan(2000)
  sites = new Set()
  await vi.waitUntil(() => sites.size > 0, patience)
  isOver = true
  await asking
  expect(sites).toEqual(new Set(['two']))
  expect(new Set(answers)).toEqual(new Set(['HTTP/1.1 200 OK']))
  expect(logger.warn).not.toHaveBeenCalled()
}, 60_000)

test('a hub that comes with the same flags keeps the edge', async () => {
  const target = await serveEcho()
  const edges = await edgeProcesses()
  const first = await edges.start('--default-target', target.url)
  const { socket, got } = await openWebSocket(edges.port)
  first.release()
  expect((await edges.start('--default-target', target.url)).wasRunning).toBe(true)
  socket.write('x')
  await vi.waitUntil(() => got().includes('echo:x'), patience)
}, 60_000)

test('a hub of another version replaces the edge, though its flags are the same; what is open lives on', async () => {
  const target = await serveEcho()
  const edges = await edgeProcesses()
  const first = await edges.start('--default-target', target.url)
  const { socket, got } = await openWebSocket(edges.port)
  first.release()
  const recordPath = join(edges.dataDir, 'edge.json')
  const record = JSON.parse(readFileSync(recordPath, 'utf8')) as { pid: number; version: string }
  writeFileSync(recordPath, JSON.stringify({ ...record, version: '0.0.1' }))
  expect((await edges.start('--default-target', target.url)).wasRunning).toBe(false)
  const next = JSON.parse(readFileSync(recordPath, 'utf8')) as { pid: number; version: string }
  expect(next).toMatchObject({ version: record.version })
  expect(next.pid).not.toBe(record.pid)
  socket.write('x')
  await vi.waitUntil(() => got().includes('echo:x'), patience)
}, 60_000)
