import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { get as httpGet } from 'node:http'
import { get as httpsGet } from 'node:https'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { startProcess, temporaryFolder } from './edge-test-kit.ts'
import { hasOpenssl, makeCertificate } from './tls/certificates-for-tests.ts'
import { freePort } from '../../../test/support/ports.ts'

const patience = { timeout: 15_000 }

/** Asks without an end, each time over a new connection. */
function askForEver(url: string): { answers: (number | string)[]; stop: () => Promise<void> } {
  const answers: (number | string)[] = []
  const send = url.startsWith('https') ? httpsGet : httpGet
  const once = (): Promise<number | string> =>
    new Promise((resolve) => {
      send(url, { agent: false, rejectUnauthorized: false }, (res) =>
        resolve(res.resume().statusCode ?? 0),
      ).on('error', ({ code }: NodeJS.ErrnoException) => resolve(code ?? 'error'))
    })
  let isOver = false
  const asking = (async () => {
    while (!isOver) answers.push(await once())
  })()
  return {
    answers,
    stop: () => {
      isOver = true
      return asking
    },
  }
}

test.skipIf(!hasOpenssl())(
  '--replace: the edge of the pid file ends once the new one serves, and no listener refuses anybody; nor when it is killed',
  async () => {
    const dir = await temporaryFolder()
    const { keyPath, certPath } = makeCertificate(dir, { name: 'hub', names: ['localhost'] })
    const [port, apiPort, redirectPort, metricsPort] = [
      await freePort(),
      await freePort(),
      await freePort(),
      await freePort(),
    ]
    const pidPath = join(dir, 'pid')
    const args = ['--port', port, '--api-port', apiPort, '--redirect-port', redirectPort]
    args.push('--metrics-ip', '127.0.0.1', '--metrics-port', metricsPort, '--pid-file', pidPath)
    args.push('--ssl-key', keyPath, '--ssl-cert', certPath, '--workers', 2, '--replace')
    const start = () => startProcess(dir, args.map(String))
    const urls = [
      `https://127.0.0.1:${port}/_chp_healthz`,
      `http://127.0.0.1:${redirectPort}/`,
      `http://127.0.0.1:${metricsPort}/metrics`,
    ]
    // Nobody is there to be replaced.
    const first = await start()
    const pid = (): string => (existsSync(pidPath) ? readFileSync(pidPath, 'utf8') : '')
    await vi.waitUntil(() => pid() === String(first.child.pid), patience)
    const asked = urls.map(askForEver)
    const second = await start()
    if (first.child.exitCode === null) await once(first.child, 'exit')
    expect([first.child.exitCode, pid()]).toEqual([2, String(second.child.pid)])
    const beforeKill = asked.map(({ answers }) => new Set(answers.splice(0)))
    expect(beforeKill).toEqual([new Set([200]), new Set([301]), new Set([200])])

    const third = await start()
    second.child.kill('SIGKILL')
    await vi.waitUntil(() => pid() === String(third.child.pid), patience)
    await vi.waitUntil(() => asked.every(({ answers }) => answers.length > 30), patience)
    await Promise.all(asked.map(({ stop }) => stop()))
    // What the killed one had accepted is lost with it.
    for (const { answers } of asked) expect(answers).not.toContain('ECONNREFUSED')
  },
  60_000,
)
