import type { FastifyInstance, FastifyRequest } from 'fastify'
import { HubError } from '../domain/errors.ts'
import { headerText } from './client-address.ts'

/** What strangers may send, and all that any form without files needs. */
const maxFormBytes = 256 * 1024
/** Spawn forms bring files, of people who are signed in. */
export const maxSpawnFormBytes = 10 * 1024 * 1024
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

/**
 * Before a large body is read: only who is signed in may send one.
 * @throws HubError `payload_too_large`
 */
export function refuseLargeForm(request: FastifyRequest): void {
  const length = Number(headerText(request, 'content-length') ?? Number.NaN)
  const isUnknown = Number.isNaN(length) && headerText(request, 'transfer-encoding') !== undefined
  if (isUnknown || length > maxFormBytes) throw new HubError('payload_too_large')
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
    { parseAs: 'buffer', bodyLimit: maxFormBytes },
    async (request: { headers: { 'content-type'?: string | undefined } }, body: Buffer) =>
      parseMultipart(body, request.headers['content-type'] ?? ''),
  )
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: maxFormBytes }, (_r, body, done) =>
    done(null, body),
  )
}

/** @throws HubError `bad_request` for more fields than any form has */
export function parseForm(text: string): FormFields {
  if (text.split('&', maxFields + 1).length > maxFields) throw tooManyFields()
  const fields = emptyFields()
  for (const [name, value] of new URLSearchParams(text)) append(fields, name, value)
  return fields
}

async function parseMultipart(body: Buffer, contentType: string): Promise<FormFields> {
  if (hasTooManyParts(body, contentType)) throw tooManyFields()
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

/** Told before they are read: each costs far more than its bytes. */
function hasTooManyParts(body: Buffer, contentType: string): boolean {
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType) ?? []
  const mark = `--${quoted ?? plain ?? ''}`
  let at = -1
  for (let count = 0; count <= maxFields + 1; count += 1) {
    at = body.indexOf(mark, at + 1)
    if (at === -1) return false
  }
  return true
}

function tooManyFields(): HubError {
  return new HubError('bad_request', { message: 'Too many form fields' })
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
