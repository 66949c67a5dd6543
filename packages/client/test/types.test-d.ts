import {
  type Client,
  type ClientError,
  createClient,
  type Json,
  type JsonObject,
  type Operations,
  type Result,
  type Server,
  type ServerEvent,
  type User,
} from '../src/index.ts'

// Compiled with everything else and never run: what the types promise, and what they refuse.

/** Each fits where the other is wanted, and neither is `any`. */
type Equal<A, B> =
  IsAny<A> extends IsAny<B> ? ([A] extends [B] ? ([B] extends [A] ? true : false) : false) : false
type IsAny<T> = 0 extends 1 & T ? true : false
type IsUnknown<T> = IsAny<T> extends true ? false : unknown extends T ? true : false
declare function holds<_Truth extends true>(truth: true): void // oxlint-disable-line typescript/no-unnecessary-type-parameters -- the constraint is the check

/** Whether `any` or `unknown` is anywhere in a type; what JSON leaves open has its own type. */
type IsLoose<T> = true extends Loose<T, []> ? true : false
type Loose<T, Depth extends readonly 0[]> =
  IsAny<T> extends true
    ? true
    : IsUnknown<T> extends true
      ? true
      : Depth['length'] extends 8
        ? false
        : T extends string | number | boolean | null | undefined
          ? false
          : [JsonObject, T] extends [T, Json]
            ? false
            : { [K in keyof T]-?: Loose<T[K], [...Depth, 0]> }[keyof T & (string | number)]

declare const hub: Client
type Answer<F extends (...parameters: never[]) => Promise<unknown>> = Awaited<ReturnType<F>>

// The measure itself finds what it looks for.
holds<IsLoose<{ a: { b: any } }>>(true) // oxlint-disable-line typescript/no-explicit-any -- what is looked for
holds<IsLoose<{ a?: readonly { readonly b: unknown }[] }>>(true)
holds<Equal<IsLoose<{ a: { b: string | null } }>, false>>(true)

// Nothing that the API describes is `any` or `unknown`.
holds<Equal<IsLoose<Operations[keyof Operations]['params']>, false>>(true)
holds<Equal<IsLoose<Operations[keyof Operations]['query']>, false>>(true)
holds<Equal<IsLoose<Operations[keyof Operations]['body']>, false>>(true)
holds<Equal<IsLoose<Operations[keyof Operations]['answers']>, false>>(true)

holds<Equal<Answer<typeof hub.users.get>, Result<User>>>(true)
holds<Equal<Answer<typeof hub.servers.get>, Result<Server>>>(true)
holds<Equal<Answer<typeof hub.servers.start>['ok'], boolean>>(true)

export async function narrowing(): Promise<void> {
  const result = await hub.users.get('ada')
  // @ts-expect-error a value is there only once success is certain
  void result.value
  if (result.ok) holds<Equal<typeof result.value, User>>(true)
  else holds<Equal<typeof result.error, ClientError>>(true)

  const started = await hub.servers.start({ user: 'ada' })
  if (started.ok) holds<Equal<typeof started.value, 'ready' | 'starting'>>(true)

  for await (const event of hub.servers.progress({ user: 'ada' })) {
    holds<Equal<typeof event, ServerEvent>>(true)
    // @ts-expect-error only the ready event has a URL
    void event.url
    if (event.kind === 'ready') holds<Equal<typeof event.url, string>>(true)
  }
  for await (const page of hub.users.pages()) {
    if (page.ok) holds<Equal<typeof page.value.items, readonly User[]>>(true)
  }
}

export function refused(): void {
  // @ts-expect-error there is no such state
  void hub.users.list({ state: 'asleep' })
  // @ts-expect-error nor such an order
  void hub.users.list({ sort: '--name' })
  // @ts-expect-error a number is no name
  void hub.users.get(1)
  // @ts-expect-error groups are changed through the group
  void hub.users.update('ada', { groups: ['staff'] })
  // @ts-expect-error one recipient, not two
  void hub.shares.grant({ user: 'ada' }, { user: 'bob', group: 'staff' })
  // @ts-expect-error and not none
  void hub.shares.grant({ user: 'ada' }, {})
  // @ts-expect-error the address is needed
  createClient({ token: 't' })
  // @ts-expect-error the path has a variable
  void hub.call('getUser', {})
  // @ts-expect-error and only that one
  void hub.call('getUser', { params: { name: 'ada', id: '1' } })
  // @ts-expect-error there is no such operation
  void hub.call('getNothing', {})
  void hub.call('getVersion', {})
}
