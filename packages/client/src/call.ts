import { readAnswer } from './answer.ts'
import { type Operations, operations } from './generated.ts'
import { fail, type Result } from './result.ts'
import type { CallOptions, QueryValue, Transport } from './transport.ts'

/** Name of an operation of the API. */
export type OperationId = keyof Operations

type ParamsOf<Id extends OperationId> = Operations[Id]['params']
type BodyOf<Id extends OperationId> = Operations[Id]['body']

/** Query fields are text on the wire; numbers and switches are written as such. */
type QueryOf<Id extends OperationId> = {
  readonly [K in keyof Operations[Id]['query']]:
    | Operations[Id]['query'][K]
    | (string extends Operations[Id]['query'][K] ? QueryValue : never)
}

/** What an operation answers with when it succeeds. */
export type AnswerOf<Id extends OperationId> =
  Operations[Id]['answers'][keyof Operations[Id]['answers']]

/** What an operation takes; a key is there only where the operation has something for it. */
export type RequestOf<Id extends OperationId> = Part<'params', ParamsOf<Id>> &
  (keyof Operations[Id]['query'] extends never ? unknown : { readonly query?: QueryOf<Id> }) &
  BodyPart<BodyOf<Id>>

type Part<Name extends string, T> = keyof T extends never ? unknown : { readonly [K in Name]: T }
type BodyPart<T> = [T] extends [undefined]
  ? unknown
  : undefined extends T
    ? { readonly body?: T }
    : { readonly body: T }

/** Calls an operation of the API by its name. */
export type Call = <Id extends OperationId>(
  id: Id,
  request: RequestOf<Id>,
  options?: CallOptions & { readonly accept?: string },
) => Promise<Result<AnswerOf<Id>>>

/** The parts of a request, untyped, as every {@link RequestOf} has them. */
interface AnyRequest {
  readonly params?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, QueryValue | undefined>>
  readonly body?: unknown
}

export function createCall(transport: Transport): Call {
  return async <Id extends OperationId>(
    id: Id,
    request: RequestOf<Id>,
    { accept = 'application/json', ...options }: CallOptions & { readonly accept?: string } = {},
  ) => {
    const sent = await sendOperation(transport, id, { request, accept, options })
    if (!sent.ok) return fail(sent.error)
    const { maxAnswerBytes: maxBytes } = transport.options
    const answer = await readAnswer(sent.response, { signal: sent.signal, maxBytes })
    return answer as Result<AnswerOf<Id>> // the hub makes its answers from the same document
  }
}

/** Sends the request of an operation and leaves its answer unread. */
export function sendOperation<Id extends OperationId>(
  transport: Transport,
  id: Id,
  input: { request: RequestOf<Id>; accept: string; options: CallOptions },
) {
  const { method, path: template } = operations[id]
  const { params = {}, query = {}, body } = input.request as AnyRequest
  return transport.send(
    { method, template, params, query, body, accept: input.accept },
    input.options,
  )
}
