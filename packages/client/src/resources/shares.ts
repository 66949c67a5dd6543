import type { AnswerOf, Call } from '../call.ts'
import type { Share, ShareCode } from '../generated.ts'
import {
  eachPage,
  type Envelope,
  type Page,
  type PageQuery,
  paginationType,
  toPage,
} from '../pages.ts'
import { type Result, succeed } from '../result.ts'
import type { ServerRef } from '../server-ref.ts'
import type { CallOptions } from '../transport.ts'

/** Exactly one of the two. */
export type Recipient =
  | { readonly user: string; readonly group?: undefined }
  | { readonly group: string; readonly user?: undefined }

export interface ShareCodeOptions {
  /** Access to the server when left out. */
  readonly scopes?: readonly string[] | undefined
  /** A minute to a year; a day when left out. */
  readonly lifetimeMs?: number | undefined
}

/** Access to servers granted to others. `server: ''` is the default server; without it, all of a user's. */
export function createSharesResource(call: Call) {
  const list = (from: ServerRef, query: PageQuery = {}, options?: CallOptions) => {
    const { user: name, server } = from
    const accept = { ...options, accept: paginationType }
    return server === undefined
      ? inPages(call('listSharesOfOwner', { params: { name }, query }, accept))
      : inPages(call('listShares', { params: pathOf(from), query }, accept))
  }
  return {
    /** One page of the shares of a server, or of all servers of a user. */
    list,
    /** Page after page from `offset` on; a failure is the last value. */
    pages: (from: ServerRef, query: PageQuery = {}, options?: CallOptions) =>
      eachPage((offset) => list(from, { ...query, offset }, options), query.offset),
    /** Adds to what the recipient has already; without scopes, access to the server. */
    grant: (
      server: ServerRef,
      { scopes, ...recipient }: Recipient & { readonly scopes?: readonly string[] | undefined },
      options?: CallOptions,
    ) => call('share', { params: pathOf(server), body: { ...recipient, scopes } }, options),
    /** @returns what remains; `undefined` when nothing does */
    revoke: async (
      server: ServerRef,
      { scopes, ...recipient }: Recipient & { readonly scopes?: readonly string[] | undefined },
      options?: CallOptions,
    ): Promise<Result<Share | undefined>> => {
      const body = { ...recipient, scopes }
      const result = await call('revokeShare', { params: pathOf(server), body }, options)
      if (!result.ok) return result
      return succeed('scopes' in result.value ? result.value : undefined, result.status)
    },
    /** Ends every share of a server. */
    revokeAll: (server: ServerRef, options?: CallOptions) =>
      call('revokeShares', { params: pathOf(server) }, options),
    /** What is shared with a user, through groups too. */
    listWithUser: (name: string, query: PageQuery = {}, options?: CallOptions) =>
      inPages(
        call(
          'listSharesWithUser',
          { params: { name }, query },
          { ...options, accept: paginationType },
        ),
      ),
    listWithGroup: (name: string, query: PageQuery = {}, options?: CallOptions) =>
      inPages(
        call(
          'listSharesWithGroup',
          { params: { name }, query },
          { ...options, accept: paginationType },
        ),
      ),
    /** Gives up what is shared with the user or group. */
    leave: ({ user, group }: Recipient, server: ServerRef, options?: CallOptions) => {
      const params = { name: user ?? group, owner: server.user, server_name: server.server ?? '' }
      const id = user === undefined ? 'leaveShareWithGroup' : 'leaveShareWithUser'
      return call(id, { params }, options)
    },
    listCodes: (from: ServerRef, query: PageQuery = {}, options?: CallOptions) => {
      const { user: name, server } = from
      const accept = { ...options, accept: paginationType }
      return server === undefined
        ? inPages(call('listShareCodesOfOwner', { params: { name }, query }, accept))
        : inPages(call('listShareCodes', { params: pathOf(from), query }, accept))
    },
    /** The answer has the code, this once. */
    createCode: (
      server: ServerRef,
      { scopes, lifetimeMs }: ShareCodeOptions = {},
      options?: CallOptions,
    ) => {
      const expires_in = lifetimeMs === undefined ? undefined : Math.round(lifetimeMs / 1000)
      return call(
        'createShareCode',
        { params: pathOf(server), body: { scopes, expires_in } },
        options,
      )
    },
    deleteCode: (server: ServerRef, id: string, options?: CallOptions) =>
      call('deleteShareCodes', { params: pathOf(server), query: { id } }, options),
    deleteAllCodes: (server: ServerRef, options?: CallOptions) =>
      call('deleteShareCodes', { params: pathOf(server) }, options),
  }
}

type ListAnswer = AnswerOf<'listShares'> | AnswerOf<'listShareCodes'>
type ItemOf<T> = T extends Envelope<infer Item> ? Item : never

async function inPages<T extends ListAnswer>(
  result: Promise<Result<T>>,
): Promise<Result<Page<Extract<ItemOf<T>, Share | ShareCode>>>> {
  const answer = await result
  if (!answer.ok) return answer
  const envelope = answer.value as Envelope<Extract<ItemOf<T>, Share | ShareCode>> // what T is
  return succeed(toPage(envelope), answer.status)
}

function pathOf({ user, server = '' }: ServerRef): { name: string; server_name: string } {
  return { name: user, server_name: server }
}
