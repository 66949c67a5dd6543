import { userInfo } from 'node:os'
import type { Config } from '../config/options/classes.ts'
import { initialContent } from '../composition/settings.ts'
import { normalizeUsername } from '../domain/names.ts'
import { openDataFolder } from '../startup/data-folder.ts'
import { loadInitialContent } from '../startup/initial-content.ts'
import { openStore } from '../storage/open.ts'
import { findRole } from '../storage/access.ts'
import { newApiToken } from '../storage/token-hash.ts'
import { createToken } from '../storage/tokens.ts'
import { findUser } from '../storage/users.ts'
import { CommandFailed } from './command-failed.ts'

/**
 * `orrery token [USERNAME]`: makes an API token for a user and prints it, and nothing else, on
 * stdout. Works while a hub runs and while none does.
 * Source: contract cli-metrics-events §1.2.
 */
export async function runToken(input: {
  config: Config
  cwd: string
  positionals: readonly string[]
  env: NodeJS.ProcessEnv
}): Promise<void> {
  const { config, cwd, positionals, env } = input
  if (positionals.length > 1) {
    throw new CommandFailed('`orrery token` takes one user name: orrery token USERNAME')
  }
  const name = normalizeUsername(positionals[0] ?? systemUser(env), config.Authenticator)
  openDataFolder(config.Orrery.dataDir)
  const store = await openStore({ url: config.JupyterHub.dbUrl, directory: cwd })
  try {
    const now = new Date()
    await loadInitialContent(store, initialContent(config), now)
    const user = await findUser(store.db, name)
    if (user === undefined) {
      throw new CommandFailed(
        `No such user: ${name}. Users come into being when they first sign in, by ` +
          'Authenticator.admin_users and allowed_users, or through the API.',
      )
    }
    const value = newApiToken()
    const role = await findRole(store.db, 'token')
    await store.write((tx) =>
      createToken(
        tx,
        {
          value,
          owner: { kind: 'user', id: user.id },
          scopes: role?.scopes ?? ['inherit'],
          note: 'command-line generated',
        },
        now,
      ),
    )
    process.stdout.write(`${value}\n`)
  } finally {
    await store.close()
  }
}

function systemUser(env: NodeJS.ProcessEnv): string {
  return env['LOGNAME'] ?? env['USER'] ?? env['LNAME'] ?? env['USERNAME'] ?? userInfo().username
}
