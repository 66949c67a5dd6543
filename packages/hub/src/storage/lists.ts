import { type RawBuilder, SqliteAdapter, sql } from 'kysely'
import type { Executor } from './dialects/dialect.ts'

/*
 * Lists for `in`, as one parameter however long they are: one prepared statement serves lists of
 * every length, and building it costs nothing per element. An empty list matches nothing.
 */

export function inIds(db: Executor, ids: readonly number[]): RawBuilder<number> {
  return isSqlite(db) ? fromJson(ids) : sql`(select unnest(${ids}::bigint[]))`
}

export function inNames(db: Executor, names: readonly string[]): RawBuilder<string> {
  return isSqlite(db) ? fromJson(names) : sql`(select unnest(${names}::text[]))`
}

function fromJson<T>(values: readonly T[]): RawBuilder<T> {
  return sql`(select value from json_each(${JSON.stringify(values)}))`
}

function isSqlite(db: Executor): boolean {
  return db.getExecutor().adapter instanceof SqliteAdapter
}
