import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SpawnerContext, SpawnRequest } from '../../plugin-api/spawner.ts'
import type { SimpleOptions } from '../simple/options.ts'
import { simpleDefaults } from '../simple/options.ts'

/** Answers JSON with its pid and environment. Python, since every account can run the system's. */
export const serverCommand = [
  '/usr/bin/env',
  'python3',
  '-c',
  `import http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({'id': str(os.getpid()), 'env': dict(os.environ), 'uid': os.getuid(), 'groups': os.getgroups(), 'cwd': os.getcwd()}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()`,
]

/** A place of its own for a spawner, with short waits. */
export function makeContext() {
  const dataDir = mkdtempSync(join(tmpdir(), 'orrery-spawner-'))
  const warnings: string[] = []
  const options: SimpleOptions = {
    ...simpleDefaults,
    envKeep: ['LANG'],
    interruptTimeoutMs: 1_000,
    termTimeoutMs: 1_000,
    killTimeoutMs: 3_000,
    homeDirTemplate: join(dataDir, 'homes', '{username}'),
  }
  const context: SpawnerContext<SimpleOptions> = {
    options,
    dataDir,
    logger: {
      info: () => undefined,
      warn: (_details, message) => warnings.push(message),
      error: (_details, message) => warnings.push(message),
    },
  }
  return {
    context,
    dataDir,
    warnings,
    dispose: async () => await rm(dataDir, { recursive: true, force: true }),
  }
}

export function makeRequest(changes: Partial<SpawnRequest> = {}): SpawnRequest {
  return {
    runId: randomBytes(16).toString('hex'),
    username: 'ada',
    serverName: '',
    command: serverCommand,
    bind: { ip: '127.0.0.1', port: 0 },
    userOptions: {},
    limits: {},
    environment: (bind) => ({ PORT: `${bind.port}` }),
    report: () => undefined,
    ...changes,
  }
}

/** A system user with one supplementary group, for as long as the tests run. */
export function createSystemUser() {
  const name = `orrery${randomBytes(4).toString('hex')}`
  execFileSync('useradd', ['--create-home', '--groups', 'users', '--shell', '/bin/sh', name])
  return { name, remove: () => execFileSync('userdel', ['--remove', name], { stdio: 'ignore' }) }
}
