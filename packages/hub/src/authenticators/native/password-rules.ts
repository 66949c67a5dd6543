import { maxPasswordBytes } from './password-hash.ts'

export interface PasswordRules {
  readonly minimumLength: number
}

export const defaultPasswordRules: PasswordRules = { minimumLength: 8 }

/** The most common passwords of published leaks that have eight characters or more. */
const commonPasswords = new Set(
  (
    'password password1 12345678 123456789 1234567890 qwertyuiop qwerty123 1q2w3e4r 1qaz2wsx ' +
    'iloveyou sunshine princess football baseball superman trustno1 letmein1 welcome1 ' +
    'passw0rd abcd1234 asdfghjkl zaq12wsx 11111111 00000000 87654321 administrator jupyter1 ' +
    'jupyterhub changeme password123 admin123 q1w2e3r4 1q2w3e4r5t michelle computer whatever'
  ).split(' '),
)

/** What is wrong with a new password, in words that help; `undefined` when it will do. */
export function findPasswordProblem(
  password: string,
  context: { username: string; rules: PasswordRules },
): string | undefined {
  const { username, rules } = context
  const length = Array.from(password).length
  if (length < rules.minimumLength) {
    return `Use at least ${rules.minimumLength} characters; three or four unrelated words make a good password.`
  }
  if (Buffer.byteLength(password) > maxPasswordBytes) {
    return `Use at most ${maxPasswordBytes} bytes.`
  }
  const lower = password.toLowerCase()
  if (commonPasswords.has(lower)) {
    return 'This is one of the first passwords that attackers try. Choose another.'
  }
  if (new Set(lower).size < 3) return 'Use more than one or two different characters.'
  if (username !== '' && lower === username.toLowerCase()) {
    return 'Do not use the user name as password.'
  }
  return undefined
}
