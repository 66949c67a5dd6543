/** One of a user's servers; without `server`, the default one. */
export interface ServerRef {
  readonly user: string
  readonly server?: string | undefined
}

/** The variables of a server's paths; those of the default server ignore the second. */
export function byName({ user, server = '' }: ServerRef): { name: string; server_name: string } {
  return server === '' ? { name: user, server_name: '-' } : { name: user, server_name: server }
}
