import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nginxConfig } from './nginx-config.ts'
import { freePort } from '../../packages/hub/test/support/ports.ts'
import { endProgram, findProgram, startProgram, untilAccepting } from './processes.ts'

/** The server behind the proxies. */
export interface Backend {
  readonly url: string
  readonly name: string
  stop(): Promise<void>
}

export const bodyBytes = 1024

/** Every request gets the same bytes: by nginx when it is on the PATH, since it leaves more of the machine to the proxies; else by Node. */
export async function startBackend(): Promise<Backend> {
  const nginx = findProgram('nginx')
  if (nginx === undefined) return startNodeBackend('backend.ts')
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'orrery-bench-'))
  const config = nginxConfig(folder, {
    workers: 1,
    http: `
    server { listen 127.0.0.1:${port} backlog=4096; location / {
      default_type text/plain; return 200 "${'x'.repeat(bodyBytes)}"; } }`,
  })
  const args = ['-p', folder, '-e', 'stderr', '-c', config]
  const child = startProgram(nginx, args, { place: 'client' })
  await untilAccepting(child, port)
  return { url: `http://127.0.0.1:${port}`, name: 'nginx', stop: () => endProgram(child, folder) }
}

/** For large bodies and WebSockets: by Node, since nginx answers neither by itself. */
export const startStreamBackend = (): Promise<Backend> =>
  startNodeBackend('bodies-and-websockets.ts')

async function startNodeBackend(program: string): Promise<Backend> {
  const port = await freePort()
  const path = fileURLToPath(new URL(`programs/${program}`, import.meta.url))
  const child = startProgram(process.execPath, [path, String(port)], { place: 'client' })
  await untilAccepting(child, port)
  return { url: `http://127.0.0.1:${port}`, name: 'Node', stop: () => endProgram(child) }
}
