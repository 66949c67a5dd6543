import { Type } from 'typebox'
import type { TSchema } from 'typebox'
import { reasonPhrase } from './errors.ts'

/** Parts that several resources share. Schemas with a `title` become named components. */

export const ErrorModel = Type.Object(
  {
    status: Type.Integer({ description: 'The HTTP status, again.' }),
    message: Type.String({ description: 'Text for people.' }),
  },
  { title: 'Error', description: 'Body of every error.' },
)

export const Timestamp = Type.String({
  format: 'date-time',
  description: 'ISO 8601 in UTC, such as `2026-01-31T12:00:00.123Z`.',
})

export function nullable<T extends TSchema>(schema: T, description?: string) {
  return Type.Union([schema, Type.Null()], description === undefined ? {} : { description })
}

/** An object whose keys somebody else decides. */
export const FreeObject = Type.Record(Type.String(), Type.Unknown())

export const UserParams = Type.Object({
  name: Type.String({ description: 'Name of the user, exactly as stored.' }),
})

export const ServerParams = Type.Object({
  name: Type.String({ description: 'Name of the user, exactly as stored.' }),
  server_name: Type.String({ description: 'Name of the server.' }),
})

export const includeStopped = {
  include_stopped_servers: Type.Optional(
    Type.String({ description: 'List stopped servers too; `0` and `false` mean no.' }),
  ),
}

export function wantsStopped(query: { readonly include_stopped_servers?: string }): boolean {
  const value = query.include_stopped_servers
  return value !== undefined && value !== '0' && value.toLowerCase() !== 'false'
}

/** An answer without a body. */
export function emptyAnswer(description: string) {
  return Type.Null({ description })
}

/** Keeps the description of a model whose place is taken by that of an answer. */
export const modelDescription = 'x-model-description'

/** The answer with this model. */
export function answer<T extends TSchema>(schema: T, description: string): T {
  const own = 'description' in schema ? schema.description : undefined
  return { ...schema, description, [modelDescription]: own ?? '' }
}

type ErrorResponses<Status extends number> = { [S in Status]: typeof ErrorModel }

/** Entries of `response` for errors that a route documents. */
export function errors<const Status extends number>(...statuses: Status[]): ErrorResponses<Status> {
  const entries = statuses.map((status) => [status, answer(ErrorModel, reasonPhrase(status))])
  return Object.fromEntries(entries) as ErrorResponses<Status>
}
