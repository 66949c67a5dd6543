import type { Codec, ValueOf } from './codec.ts'
import { type CamelCase, toCamelCase } from './names.ts'

/** The effective values another default may depend on, as a file would give them. */
export type ReadOption = (className: string, name: string) => unknown

/** A default that follows from other options. `describe` is printed instead of a value. */
export interface ComputedDefault {
  readonly describe: string
  readonly compute: (read: ReadOption) => unknown
}

export interface OptionSpec<Value> {
  readonly type: Codec<Value>
  /** As a configuration file would give it: seconds, `'2G'`, plain lists for sets. */
  readonly default: unknown
  /** One or two sentences for the reference page, the generated file and `--help-all`. */
  readonly summary: string
  /** Name inside where it is more than the option's own name in camelCase: the one with the unit. */
  readonly as?: string
  /** Never printed. */
  readonly secret?: boolean
}

/** One class of the configuration vocabulary with the options it declares. */
export interface OptionClass {
  readonly name: string
  /** Where it inherits from; a section of a parent applies to its children. */
  readonly parent: OptionClass | undefined
  readonly options: Readonly<Record<string, OptionSpec<unknown>>>
  /** Defaults of inherited options that differ for this class. */
  readonly defaults: Readonly<Record<string, unknown>>
}

type PropertyName<Name extends string, Spec> = Spec extends { readonly as: infer As extends string }
  ? As
  : CamelCase<Name>

/** What the hub reads: `start_timeout` declared `as: 'startTimeoutMs'` becomes that property. */
export type SliceOf<Options> = {
  readonly [Name in keyof Options & string as PropertyName<
    Name,
    Options[Name]
  >]: Options[Name] extends {
    readonly type: infer C
  }
    ? ValueOf<C>
    : never
}

/** Declares a table of options; the types of their values are kept. */
export function defineOptions<const Options extends Readonly<Record<string, OptionSpec<unknown>>>>(
  options: Options,
): Options {
  return Object.freeze(options)
}

export function computed(
  describe: string,
  compute: (read: ReadOption) => unknown,
): ComputedDefault {
  return { describe, compute }
}

export function isComputed(value: unknown): value is ComputedDefault {
  return (
    typeof value === 'object' &&
    value !== null &&
    'compute' in value &&
    typeof value.compute === 'function'
  )
}

export function propertyNameOf(name: string, spec: OptionSpec<unknown>): string {
  return spec.as ?? toCamelCase(name)
}

/** The class and what it inherits from, most general first. */
export function lineageOf(optionClass: OptionClass): readonly OptionClass[] {
  const parents = optionClass.parent === undefined ? [] : lineageOf(optionClass.parent)
  return [...parents, optionClass]
}

/** The option as the class knows it, its own or inherited. */
export function findOption(
  optionClass: OptionClass,
  name: string,
): { readonly declaredBy: OptionClass; readonly spec: OptionSpec<unknown> } | undefined {
  for (const declaredBy of lineageOf(optionClass)) {
    const spec = Object.hasOwn(declaredBy.options, name) ? declaredBy.options[name] : undefined
    if (spec !== undefined) return { declaredBy, spec }
  }
  return undefined
}
