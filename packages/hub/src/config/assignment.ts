/** Where a value came from. */
export type Origin =
  | { readonly kind: 'default' }
  | { readonly kind: 'file'; readonly file: string }
  | { readonly kind: 'environment'; readonly variable: string }
  | { readonly kind: 'command line'; readonly flag: string }

/** `c.<section>.<name> = value` from anywhere. The value may be an `Edits`. */
export interface Assignment {
  readonly section: string
  readonly name: string
  readonly value: unknown
  readonly origin: Origin
}

/** An option on the command line, every text it was given with, before its type is known. */
export interface FlagAssignment {
  readonly section: string
  readonly name: string
  readonly texts: readonly string[]
  /** As it was typed: `--port`, `--Spawner.args`. */
  readonly flag: string
}

export function describeOrigin(origin: Origin): string {
  switch (origin.kind) {
    case 'default':
      return 'default'
    case 'file':
      return origin.file
    case 'environment':
      return `environment variable ${origin.variable}`
    case 'command line':
      return `command line ${origin.flag}`
  }
}
