import type { Executor } from './dialects/dialect.ts'
import type { WriteTransaction } from './store.ts'

/** A key pair that signs ID tokens; the private half is encrypted by whoever stores it. */
export interface StoredSigningKey {
  readonly kid: string
  /** JWK as JSON. */
  readonly publicKey: string
  readonly encryptedKey: string
  readonly createdAt: Date
}

/** Newest first. */
export async function listSigningKeys(db: Executor): Promise<StoredSigningKey[]> {
  const rows = await db
    .selectFrom('signing_keys')
    .selectAll()
    .orderBy('created_at', 'desc')
    .orderBy('kid')
    .execute()
  return rows.map((row) => ({
    kid: row.kid,
    publicKey: row.public_key,
    encryptedKey: row.encrypted_key,
    createdAt: new Date(row.created_at),
  }))
}

/** Stores a key and deletes those made before `expiredBefore`. */
export async function addSigningKey(
  transaction: WriteTransaction,
  key: StoredSigningKey,
  expiredBefore: Date,
): Promise<void> {
  await transaction.db
    .insertInto('signing_keys')
    .values({
      kid: key.kid,
      public_key: key.publicKey,
      encrypted_key: key.encryptedKey,
      created_at: key.createdAt.getTime(),
    })
    .execute()
  await transaction.db
    .deleteFrom('signing_keys')
    .where('created_at', '<', expiredBefore.getTime())
    .execute()
}
