import { type Container, describeKind, isPlainObject, ValueMismatch } from './codec.ts'

/** Changes to a value that the file did not set itself, in the order they were made. */
export type Edit =
  | { readonly kind: 'append'; readonly value: unknown }
  | { readonly kind: 'extend'; readonly value: unknown }
  | { readonly kind: 'prepend'; readonly value: unknown }
  | { readonly kind: 'insert'; readonly index: number; readonly value: unknown }
  | { readonly kind: 'update'; readonly value: unknown }
  | { readonly kind: 'add'; readonly value: unknown }
  | { readonly kind: 'set'; readonly key: string; readonly value: unknown }
  | { readonly kind: 'setdefault'; readonly key: string; readonly value: unknown }

/**
 * Stands for an option that a file edits rather than sets: `c.Spawner.args.append('--x')`. The
 * edits apply to the default, or to what an earlier file made of it.
 * Source: JupyterHub 6.0 configuration (traitlets `LazyConfigValue`); `setdefault` and item
 * assignment go beyond it.
 */
export class Edits {
  readonly list: Edit[]

  constructor(list: Edit[] = []) {
    this.list = list
    Object.freeze(this) // `c.Spawner.environment.A = 'b'` fails instead of getting lost
  }

  append(value: unknown): void {
    this.list.push({ kind: 'append', value })
  }
  /** The usual word in JavaScript for {@link Edits.append}. */
  push(...values: readonly unknown[]): void {
    for (const value of values) this.append(value)
  }
  extend(value: readonly unknown[]): void {
    this.list.push({ kind: 'extend', value: [...value] })
  }
  prepend(value: readonly unknown[]): void {
    this.list.push({ kind: 'prepend', value: [...value] })
  }
  insert(index: number, value: unknown): void {
    this.list.push({ kind: 'insert', index, value })
  }
  update(value: unknown): void {
    this.list.push({ kind: 'update', value })
  }
  add(value: unknown): void {
    this.list.push({ kind: 'add', value })
  }
  set(key: string, value: unknown): void {
    this.list.push({ kind: 'set', key, value })
  }
  setdefault(key: string, value: unknown): void {
    this.list.push({ kind: 'setdefault', key, value })
  }
}

/**
 * The value after the edits; `initial` is left as it is.
 * @throws ValueMismatch for an edit that this kind of value does not have
 */
export function applyEdits(
  initial: unknown,
  edits: Edits,
  container: Container | undefined,
): unknown {
  switch (container) {
    case 'list':
      return edits.list.reduce(editList, initial === null ? [] : toArray(initial))
    case 'set':
      return new Set(edits.list.reduce(editSet, toArray(initial)))
    case 'object':
      return edits.list.reduce(editObject, isPlainObject(initial) ? initial : {})
    case undefined:
      throw new ValueMismatch('this option is one value: assign it instead of changing it.')
  }
}

function editList(items: readonly unknown[], edit: Edit): readonly unknown[] {
  switch (edit.kind) {
    case 'append':
      return [...items, edit.value]
    case 'extend':
      return [...items, ...toArray(edit.value)]
    case 'prepend':
      return [...toArray(edit.value), ...items]
    case 'insert':
      return items.toSpliced(edit.index, 0, edit.value)
    case 'update':
    case 'add':
    case 'set':
    case 'setdefault':
      return refuse(edit, 'a list')
  }
}

function editSet(items: readonly unknown[], edit: Edit): readonly unknown[] {
  switch (edit.kind) {
    case 'add':
      return [...items, edit.value]
    case 'update':
      return [...items, ...toArray(edit.value)]
    case 'append':
    case 'extend':
    case 'prepend':
    case 'insert':
    case 'set':
    case 'setdefault':
      return refuse(edit, 'a set')
  }
}

function editObject(
  object: Readonly<Record<string, unknown>>,
  edit: Edit,
): Readonly<Record<string, unknown>> {
  switch (edit.kind) {
    case 'update':
      if (!isPlainObject(edit.value)) {
        throw new ValueMismatch(`update() takes an object here, not ${describeKind(edit.value)}.`)
      }
      return { ...object, ...edit.value }
    case 'set':
      return { ...object, [edit.key]: edit.value }
    case 'setdefault':
      return Object.hasOwn(object, edit.key) ? object : { ...object, [edit.key]: edit.value }
    case 'append':
    case 'extend':
    case 'prepend':
    case 'insert':
    case 'add':
      return refuse(edit, 'an object')
  }
}

function toArray(value: unknown): readonly unknown[] {
  if (value instanceof Set) return [...value]
  if (Array.isArray(value)) return value as readonly unknown[]
  return typeof value === 'string' ? [value] : []
}

function refuse(edit: Edit, kind: string): never {
  throw new ValueMismatch(`'${edit.kind}' cannot be done to ${kind}.`)
}
