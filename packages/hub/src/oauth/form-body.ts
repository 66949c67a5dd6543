import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type FormFields, parseForm } from './form.ts'

/** No form of the protocol comes near it. */
const maxBodyBytes = 64 * 1024

/** A form as {@link FormFields} with `_xsrf` beside it, where the XSRF check looks for it. */
interface FormBody {
  readonly fields: FormFields | undefined
  readonly _xsrf: string | undefined
}

/** Forms only; any other body reads as an empty one, as in the reference. */
export function useFormParser(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: maxBodyBytes },
    (_request, body, done) => {
      const fields = parseForm(body.toString())
      done(null, { fields, _xsrf: fields?.getAll('_xsrf').at(-1) } satisfies FormBody)
    },
  )
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: maxBodyBytes }, (_r, _b, done) =>
    done(null, null),
  )
}

/** @returns `undefined` for a malformed form */
export function formOf(request: FastifyRequest): FormFields | undefined {
  const { body } = request
  if (typeof body !== 'object' || body === null || !('fields' in body)) return parseForm('')
  return (body as FormBody).fields // the parser above made it
}
