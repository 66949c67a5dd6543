import { HubError } from '../domain/errors.ts'
import { listMemberIds, listMemberships, type MembershipRow } from '../storage/access.ts'
import type { Change } from '../storage/bus.ts'
import type { Store } from '../storage/store.ts'
import type { Membership } from './principal.ts'

/** Above it, reading everything is cheaper than reading so many users by id. */
const maxUsersByOne = 500
/** Sources that change that often in a row make a reader give up. */
const maxAttempts = 5
const noGroups: ReadonlySet<string> = new Set()

interface Member {
  readonly name: string
  readonly groups: ReadonlySet<string>
  readonly groupIds: readonly number[]
}

/**
 * Who is in which group, in memory. A change makes the users whom it concerns be read again, at
 * the next question, and nobody else: a class of thousands that signs in costs a row each.
 */
export class MembershipIndex {
  readonly #store: Pick<Store, 'db'>
  readonly #members = new Map<number, Member>()
  readonly #idOf = new Map<string, number>()
  readonly #membersOf = new Map<number, Set<number>>()
  readonly #staleUsers = new Set<number>()
  readonly #staleGroups = new Set<number>()
  #isAllStale = true
  #reading: Promise<void> | undefined
  readonly #groupsOf: Membership = (username) => {
    const id = this.#idOf.get(username)
    return (id === undefined ? undefined : this.#members.get(id)?.groups) ?? noGroups
  }

  constructor(store: Pick<Store, 'db'>) {
    this.#store = store
  }

  /** `undefined`: changes may have been missed. */
  hear(change: Change | undefined): void {
    if (change === undefined) this.#isAllStale = true
    else if (change.topic === 'user') this.#staleUsers.add(Number(change.id))
    else if (change.topic === 'group') this.#staleGroups.add(Number(change.id))
  }

  /** Never older than the last change heard of. Fails with `store_busy` when they do not end. */
  async load(): Promise<Membership> {
    for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
      if (!this.#isStale) return this.#groupsOf
      this.#reading ??= this.#read().finally(() => (this.#reading = undefined))
      await this.#reading
    }
    if (!this.#isStale) return this.#groupsOf
    throw new HubError('store_busy')
  }

  get #isStale(): boolean {
    return this.#isAllStale || this.#staleUsers.size + this.#staleGroups.size > 0
  }

  async #read(): Promise<void> {
    const [users, groups] = [new Set(this.#staleUsers), [...this.#staleGroups]]
    const wasAll = this.#isAllStale
    this.#isAllStale = false
    this.#staleUsers.clear()
    this.#staleGroups.clear()
    try {
      for (const group of groups) for (const id of this.#membersOf.get(group) ?? []) users.add(id)
      const isMany = wasAll || users.size + groups.length > maxUsersByOne
      if (!isMany) {
        for (const id of await listMemberIds(this.#store.db, groups)) users.add(id)
      }
      if (isMany || users.size > maxUsersByOne) await this.#readAll()
      else await this.#readSome([...users])
    } catch (error) {
      this.#isAllStale = true
      throw error
    }
  }

  async #readAll(): Promise<void> {
    const rows = await listMemberships(this.#store.db)
    this.#members.clear()
    this.#idOf.clear()
    this.#membersOf.clear()
    this.#put(rows)
  }

  async #readSome(ids: readonly number[]): Promise<void> {
    const rows = await listMemberships(this.#store.db, ids)
    for (const id of ids) this.#forget(id)
    this.#put(rows)
  }

  #forget(id: number): void {
    const member = this.#members.get(id)
    if (member === undefined) return
    this.#members.delete(id)
    if (this.#idOf.get(member.name) === id) this.#idOf.delete(member.name)
    for (const groupId of member.groupIds) {
      const ids = this.#membersOf.get(groupId)
      ids?.delete(id)
      if (ids?.size === 0) this.#membersOf.delete(groupId)
    }
  }

  #put(rows: readonly MembershipRow[]): void {
    for (const [id, own] of Map.groupBy(rows, (row) => row.userId)) {
      const name = own[0]?.userName ?? ''
      const groups = new Set(own.map((row) => row.groupName))
      const groupIds = own.map((row) => row.groupId)
      this.#members.set(id, { name, groups, groupIds })
      this.#idOf.set(name, id)
      for (const groupId of groupIds) {
        const ids = this.#membersOf.get(groupId)
        if (ids === undefined) this.#membersOf.set(groupId, new Set([id]))
        else ids.add(id)
      }
    }
  }
}
