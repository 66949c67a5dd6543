import { execFile, spawn } from 'node:child_process'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { existsSync, readdirSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { freePort } from './ports.ts'

const run = promisify(execFile)

/** Folder with `initdb` and `postgres`: `ORRERY_POSTGRES_BIN`, Debian's place, or the PATH. */
export function findPostgresBin(): string | undefined {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian)
    ? readdirSync(debian).toSorted((a, b) => Number(b) - Number(a))
    : []
  const places = [
    process.env['ORRERY_POSTGRES_BIN'] ?? '',
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(':'),
  ]
  return places.find((place) => place !== '' && existsSync(join(place, 'initdb')))
}

export interface PostgresServer {
  /** Administrator's URL, ending in the database `postgres`. */
  readonly url: string
  stop(): Promise<void>
}

/** Starts a PostgreSQL of the tests' own on a free port; it refuses to run as root. */
export async function startPostgres(bin: string): Promise<PostgresServer> {
  const folder = await mkdtemp(join(tmpdir(), 'orrery-pg-'))
  const asRoot = userInfo().uid === 0
  if (asRoot) {
    const { stdout } = await run('id', ['-u', 'postgres'])
    await chown(folder, Number(stdout), -1)
  }
  const as = asRoot
    ? ['setpriv', '--reuid', 'postgres', '--regid', 'postgres', '--init-groups']
    : ['env']
  const data = join(folder, 'data')
  const initdb = [...as.slice(1), join(bin, 'initdb'), '-D', data, '-U', 'postgres']
  await run(as[0] ?? 'env', [...initdb, '--auth=trust', '--no-sync', '--locale=C', '-E', 'UTF8'], {
    cwd: folder,
  })
  const port = await freePort()
  const options = [
    '-c',
    'listen_addresses=127.0.0.1',
    '-c',
    'max_connections=200',
    '-c',
    'fsync=off',
  ]
  const server = spawn(
    as[0] ?? 'env',
    [
      ...as.slice(1),
      join(bin, 'postgres'),
      '-D',
      data,
      '-p',
      String(port),
      '-k',
      folder,
      ...options,
    ],
    { cwd: folder, stdio: 'ignore' },
  )
  const exited = new Promise<void>((resolve) => server.once('exit', () => resolve()))
  const url = `postgresql://postgres@127.0.0.1:${port}/postgres`
  await untilReady(url)
  return {
    url,
    async stop() {
      server.kill('SIGINT')
      await exited
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Not every package has `pg_isready`: asks as the tests will. */
async function untilReady(url: string): Promise<void> {
  const giveUpAt = Date.now() + 30_000
  for (;;) {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000 })
    try {
      await client.connect()
      await client.query('select 1')
      return
    } catch (error) {
      if (Date.now() > giveUpAt) throw error
      await delay(50)
    } finally {
      await client.end().catch(() => undefined) // it may never have connected
    }
  }
}
