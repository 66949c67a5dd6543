import { createHash, timingSafeEqual } from 'node:crypto'

/** Ways to derive a challenge from its verifier. Source: RFC 7636 §4.2. */
export const codeChallengeMethods = ['S256', 'plain'] as const
export type CodeChallengeMethod = (typeof codeChallengeMethods)[number]

/** RFC 7636 §4.1 allows 43 to 128 characters; shorter ones are the client's own risk. */
export const maxChallengeLength = 128

export interface CodeChallenge {
  readonly challenge: string
  readonly method: CodeChallengeMethod
}

export function toChallengeMethod(text: string): CodeChallengeMethod | undefined {
  return codeChallengeMethods.find((method) => method === text)
}

/** Whether the verifier is the one that the challenge was made of. Source: RFC 7636 §4.6. */
export function isVerifierOf(verifier: string, { challenge, method }: CodeChallenge): boolean {
  const derived = method === 'S256' ? sha256Base64Url(verifier) : verifier
  const left = Buffer.from(derived)
  const right = Buffer.from(challenge)
  return left.length === right.length && timingSafeEqual(left, right)
}

function sha256Base64Url(text: string): string {
  return createHash('sha256').update(text, 'ascii').digest('base64url')
}
