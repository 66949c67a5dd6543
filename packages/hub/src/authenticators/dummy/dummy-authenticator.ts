import { createHash, timingSafeEqual } from 'node:crypto'
import { type Authenticator, defineAuthenticator } from '../../plugin-api/authenticator.ts'

export interface DummyOptions {
  /** The one password for everybody; `''` accepts any. */
  readonly password: string
}

/** Lets anybody in, for trying things out. Source: contract authenticators §5, Dummy. */
export const dummyAuthenticator = defineAuthenticator<DummyOptions>({
  id: 'dummy',
  create({ options }): Authenticator {
    return {
      loginService: '',
      allowsAllByDefault: true,
      async identify({ username, password }) {
        const isRight = options.password === '' || isEqual(password, options.password)
        return isRight ? { name: username, admin: null } : null
      },
    }
  },
})

function isEqual(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => createHash('sha256').update(text).digest())
  return left !== undefined && right !== undefined && timingSafeEqual(left, right)
}
