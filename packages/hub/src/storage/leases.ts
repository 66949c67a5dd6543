import type { WriteTransaction } from './store.ts'

/**
 * Takes or keeps a named lease, for work that one hub at a time does.
 * @returns whether `owner` holds it until `expiresAt`
 */
export async function holdLease(
  transaction: WriteTransaction,
  lease: { name: string; owner: string; now: Date; expiresAt: Date },
): Promise<boolean> {
  const values = { owner: lease.owner, expires_at: lease.expiresAt.getTime() }
  const row = await transaction.db
    .insertInto('leases')
    .values({ name: lease.name, ...values })
    .onConflict((conflict) =>
      conflict
        .column('name')
        .doUpdateSet(values)
        .where((eb) =>
          eb.or([
            eb('leases.owner', '=', lease.owner),
            eb('leases.expires_at', '<', lease.now.getTime()),
          ]),
        ),
    )
    .returning('owner')
    .executeTakeFirst()
  return row !== undefined
}

/** Lets a lease go, so that another hub need not wait for its end. */
export async function dropLease(
  transaction: WriteTransaction,
  lease: { name: string; owner: string },
): Promise<void> {
  await transaction.db
    .deleteFrom('leases')
    .where('name', '=', lease.name)
    .where('owner', '=', lease.owner)
    .execute()
}
