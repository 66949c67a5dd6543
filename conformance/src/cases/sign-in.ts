import { password } from '../hubs/principals.ts'
import { request, type RequestStep } from '../model.ts'

/** Signs a user in with the form, as scripts do; the jar is called as the user unless it is named. */
export function signIn(username: string, jar = username): RequestStep[] {
  return [
    request('GET hub/login', 200, { jar, isPreparation: true }),
    request('POST hub/login?next=%2Fhub%2Fhome', 302, {
      jar,
      isPreparation: true,
      body: { form: { username, password, _xsrf: `{{cookie ${jar} _xsrf}}` } },
    }),
  ]
}

/** The header that lets a page's script change things. */
export function xsrf(jar: string): Record<string, string> {
  return { 'X-XSRFToken': `{{cookie ${jar} _xsrf}}` }
}
