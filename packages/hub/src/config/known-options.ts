import known from './known-options.json' with { type: 'json' }

interface KnownClass {
  readonly parent?: string
  /** Option to what replaced it, `null` where nothing did. */
  readonly options: Readonly<Record<string, string | null>>
}

/**
 * Options that JupyterHub 6.0 and its well-known plugins have, by class: names only, to tell an
 * option that is not supported yet from a mistake.
 */
const knownClasses: Readonly<Record<string, KnownClass>> = known

export function isKnownClass(className: string): boolean {
  return Object.hasOwn(knownClasses, className)
}

export function listKnownClasses(): readonly string[] {
  return Object.keys(knownClasses)
}

/** Names of the options of a class, inherited ones included, with what replaced them. */
export function listKnownOptions(className: string): ReadonlyMap<string, string | null> {
  const options = new Map<string, string | null>()
  let current: string | undefined = className
  while (current !== undefined && isKnownClass(current)) {
    const found: KnownClass | undefined = knownClasses[current]
    for (const [name, replacedBy] of Object.entries(found?.options ?? {})) {
      if (!options.has(name)) options.set(name, replacedBy)
    }
    current = found?.parent
  }
  return options
}
