import type { AnswerOf, Call, RequestOf } from '../call.ts'
import type { Activity, User, UserCreate, UserEdit } from '../generated.ts'
import {
  eachPage,
  type Envelope,
  type Page,
  type PageQuery,
  paginationType,
  toPage,
} from '../pages.ts'
import { type Result, succeed } from '../result.ts'
import type { CallOptions } from '../transport.ts'

/** Which users, and what of them. */
export type UserQuery = PageQuery & {
  /** Users with an active server, with a ready one, or with none active. */
  readonly state?: 'active' | 'ready' | 'inactive' | undefined
  /** Case-insensitive part of the name. */
  readonly nameFilter?: string | undefined
  /** With `-` descending. */
  readonly sort?: `${'' | '-'}${'id' | 'name' | 'last_activity'}` | undefined
  readonly includeStoppedServers?: boolean | undefined
}

export interface UserOptions extends CallOptions {
  readonly includeStoppedServers?: boolean | undefined
}

export function createUsersResource(call: Call) {
  const list = async (
    query: UserQuery = {},
    options?: CallOptions,
  ): Promise<Result<Page<User>>> => {
    const result = await call(
      'listUsers',
      { query: toWire(query) },
      { ...options, accept: paginationType },
    )
    return result.ok ? succeed(toPage(inEnvelope(result.value)), result.status) : result
  }
  return {
    /** One page of the users that the caller may list. */
    list,
    /** Page after page from `offset` on; a failure is the last value. */
    pages: (query: UserQuery = {}, options?: CallOptions) =>
      eachPage((offset) => list({ ...query, offset }, options), query.offset),
    get: (name: string, { includeStoppedServers, ...options }: UserOptions = {}) =>
      call('getUser', { params: { name }, query: stopped(includeStoppedServers) }, options),
    create: (name: string, body: Pick<UserCreate, 'admin'> = {}, options?: CallOptions) =>
      call('createUser', { params: { name }, body }, options),
    /** Names that exist are skipped; the answer has the new users. */
    createMany: (
      usernames: readonly string[],
      body: Pick<UserCreate, 'admin'> = {},
      options?: CallOptions,
    ) => call('createUsers', { body: { ...body, usernames } }, options),
    /** Renames, or changes the admin flag. */
    update: (name: string, body: UserEdit, options?: CallOptions) =>
      call('updateUser', { params: { name }, body }, options),
    /** Stops the user's servers and deletes the user. */
    remove: (name: string, options?: CallOptions) =>
      call('deleteUser', { params: { name } }, options),
    /** Tells the hub when the user and servers were last active; instants only move forward. */
    reportActivity: (name: string, body: Activity, options?: CallOptions) =>
      call('reportActivity', { params: { name }, body }, options),
  }
}

function toWire(query: UserQuery): NonNullable<RequestOf<'listUsers'>['query']> {
  const { offset, limit, state, nameFilter, sort, includeStoppedServers } = query
  return { offset, limit, state, name_filter: nameFilter, sort, ...stopped(includeStoppedServers) }
}

function stopped(include: boolean | undefined) {
  return include === undefined ? {} : { include_stopped_servers: include }
}

/** The header asks for the envelope; a hub too old for it would answer with the bare list. */
function inEnvelope(answer: AnswerOf<'listUsers'>): Envelope<User> {
  if ('_pagination' in answer) return answer
  const { length } = answer
  return { items: answer, _pagination: { offset: 0, limit: length, total: length, next: null } }
}
