import type { Store } from '../storage/store.ts'

/**
 * Says how many servers run that were started before `JupyterHub.internal_ssl` was turned on or off:
 * they go on speaking as they were started, and no longer reach the hub.
 */
export async function warnOfOtherScheme(
  { store, logger }: { store: Store; logger: { warn(details: object, message: string): void } },
  hasTls: boolean,
): Promise<void> {
  const { servers } = await store.db
    .selectFrom('servers')
    .select((eb) => eb.fn.countAll<number>().as('servers'))
    .where('state', '=', 'ready')
    .where('target', 'like', hasTls ? 'http://%' : 'https://%')
    .executeTakeFirstOrThrow()
  if (servers === 0) return
  logger.warn(
    { servers },
    'servers were started before JupyterHub.internal_ssl was changed and cannot reach the hub: ' +
      'start them again',
  )
}
