import { findBuiltIn, type ScopeDefinition } from './scope-table.ts'

/** Scopes of this deployment by name. */
export type CustomScopes = ReadonlyMap<string, ScopeDefinition>

export const noCustomScopes: CustomScopes = new Map()

const namePattern = /^custom:(?=[a-z0-9_*:-]{3,}$)[a-z0-9][a-z0-9_*:-]*[a-z0-9_*]$/

/**
 * Reads `JupyterHub.custom_scopes`. Throws a `TypeError` whose message names the scope.
 * Source: contract scopes-and-roles §11.
 */
export function parseCustomScopes(
  configured: Readonly<
    Record<
      string,
      { readonly description: string; readonly subscopes?: readonly string[] | undefined }
    >
  >,
): CustomScopes {
  const scopes = new Map<string, ScopeDefinition>()
  for (const [name, { description, subscopes = [] }] of Object.entries(configured)) {
    if (!namePattern.test(name)) {
      throw new TypeError(
        `'${name}' is no name for a custom scope: 'custom:' and at least three of a-z 0-9 _ - * :`,
      )
    }
    const unknown = subscopes.find((subscope) => !Object.hasOwn(configured, subscope))
    if (unknown !== undefined) {
      throw new TypeError(`custom scope '${name}' includes '${unknown}', which is not defined`)
    }
    scopes.set(name, { description, subscopes })
  }
  return scopes
}

/** The definition of a built-in or custom scope. */
export function findScope(base: string, custom: CustomScopes): ScopeDefinition | undefined {
  return findBuiltIn(base) ?? custom.get(base)
}
