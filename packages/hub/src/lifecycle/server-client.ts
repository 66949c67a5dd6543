import type { Server } from '../domain/records.ts'
import { serverClientId } from '../domain/urls.ts'
import type { Executor } from '../storage/dialects/dialect.ts'
import { findClientIdOfServer, findOAuthClient } from '../storage/oauth.ts'

/**
 * The OAuth client id that a start uses: the one the server has already, else that of its name.
 * The names of two servers can make one id (`a` with `b-c`, `a-b` with `c`); the server that comes
 * second gets an id with a `!`, which no name makes, and its number.
 * Differs from JupyterHub, where the second takes the first one's client over.
 */
export async function chooseClientId(
  db: Executor,
  server: Pick<Server, 'id' | 'username' | 'name'>,
): Promise<string> {
  const current = await findClientIdOfServer(db, server.id)
  if (current !== undefined) return current
  const id = serverClientId(server.username, server.name)
  const owner = await findOAuthClient(db, id)
  return owner === undefined ? id : `${id}!${server.id}`
}
