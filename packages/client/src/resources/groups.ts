import type { AnswerOf, Call } from '../call.ts'
import type { Group, JsonObject } from '../generated.ts'
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

export function createGroupsResource(call: Call) {
  const list = async (
    query: PageQuery = {},
    options?: CallOptions,
  ): Promise<Result<Page<Group>>> => {
    const result = await call('listGroups', { query }, { ...options, accept: paginationType })
    return result.ok ? succeed(toPage(inEnvelope(result.value)), result.status) : result
  }
  return {
    /** One page of the groups that the caller may list. */
    list,
    /** Page after page from `offset` on; a failure is the last value. */
    pages: (query: PageQuery = {}, options?: CallOptions) =>
      eachPage((offset) => list({ ...query, offset }, options), query.offset),
    get: (name: string, options?: CallOptions) => call('getGroup', { params: { name } }, options),
    create: (name: string, users: readonly string[] = [], options?: CallOptions) =>
      call('createGroup', { params: { name }, body: { users } }, options),
    remove: (name: string, options?: CallOptions) =>
      call('deleteGroup', { params: { name } }, options),
    /** Users who are members already stay it. */
    addMembers: (name: string, users: readonly string[], options?: CallOptions) =>
      call('addGroupUsers', { params: { name }, body: { users } }, options),
    removeMembers: (name: string, users: readonly string[], options?: CallOptions) =>
      call('removeGroupUsers', { params: { name }, body: { users } }, options),
    /** Replaces all properties. */
    setProperties: (name: string, properties: JsonObject, options?: CallOptions) =>
      call('setGroupProperties', { params: { name }, body: properties }, options),
  }
}

function inEnvelope(answer: AnswerOf<'listGroups'>): Envelope<Group> {
  if ('_pagination' in answer) return answer
  const { length } = answer
  return { items: answer, _pagination: { offset: 0, limit: length, total: length, next: null } }
}
