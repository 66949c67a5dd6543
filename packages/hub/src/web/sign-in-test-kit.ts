import { randomBytes } from 'node:crypto'
import type { User } from '../domain/records.ts'
import { openBrowserSession } from '../storage/browser-sessions.ts'
import type { Store } from '../storage/store.ts'
import { signLogin } from './login-cookie.ts'

/** A browser session of the user, and the login cookie that a browser would have got for it. */
export async function signInFor(
  store: Store,
  user: User,
  signing: { cookieSecret: Buffer; name: string; now: Date },
): Promise<{ value: string; sessionId: string }> {
  const { id: sessionId } = await store.write((transaction) =>
    openBrowserSession(transaction, {
      userId: user.id,
      openedWith: randomBytes(16).toString('hex'),
      signedInAt: signing.now,
      expiresAt: new Date(signing.now.getTime() + 14 * 86_400_000),
    }),
  )
  return { value: signLogin({ cookieId: user.cookieId, sessionId }, signing), sessionId }
}
