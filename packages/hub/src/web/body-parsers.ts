import type { FastifyInstance } from 'fastify'
import { HubError } from '../domain/errors.ts'

/** Files in a spawn form; everything else is far smaller. */
const maxBodyBytes = 10 * 1024 * 1024
const maxFormBytes = 256 * 1024
const maxFields = 1000

/** Fields of a form: every value is a list, in order; files are under `<name>_file`, as objects. */
export type FormFields = Record<string, (string | FormFile)[]>

/** An uploaded file as it may be stored in user options. */
export interface FormFile {
  readonly filename: string
  readonly content_type: string
  /** Base64, since raw bytes are no JSON. */
  readonly body: string
}

/** Forms and nothing else; what is neither is left unread by the pages, as bytes. */
export function useFormParsers(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: maxFormBytes },
    (_request, body, done) => {
      try {
        done(null, parseForm(body.toString()))
      } catch (error) {
        done(toError(error))
      }
    },
  )
  app.addContentTypeParser(
    'multipart/form-data',
    { parseAs: 'buffer', bodyLimit: maxBodyBytes },
    async (request: { headers: { 'content-type'?: string | undefined } }, body: Buffer) =>
      parseMultipart(body, request.headers['content-type'] ?? ''),
  )
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: maxFormBytes }, (_r, body, done) =>
    done(null, body),
  )
}

/** @throws HubError `bad_request` for more fields than any form has */
export function parseForm(text: string): FormFields {
  const fields = emptyFields()
  let count = 0
  for (const [name, value] of new URLSearchParams(text)) {
    count += 1
    if (count > maxFields) throw new HubError('bad_request', { message: 'Too many form fields' })
    append(fields, name, value)
  }
  return fields
}

async function parseMultipart(body: Buffer, contentType: string): Promise<FormFields> {
  const fields = emptyFields()
  let form: FormData
  try {
    const bytes = new Uint8Array(body)
    form = await new Response(bytes, { headers: { 'content-type': contentType } }).formData()
  } catch (cause) {
    throw new HubError('bad_request', { message: 'Invalid multipart form', cause })
  }
  for (const [name, value] of form) {
    if (typeof value === 'string') append(fields, name, value)
    else append(fields, `${name}_file`, await toFormFile(value))
  }
  return fields
}

async function toFormFile(file: File): Promise<FormFile> {
  const body = Buffer.from(await file.arrayBuffer()).toString('base64')
  return { filename: file.name, content_type: file.type, body }
}

/** Without a prototype: `__proto__` is a field like any other. */
function emptyFields(): FormFields {
  return Object.create(null) as FormFields
}

function append(fields: FormFields, name: string, value: string | FormFile): void {
  const values = fields[name]
  if (values === undefined) fields[name] = [value]
  else values.push(value)
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
