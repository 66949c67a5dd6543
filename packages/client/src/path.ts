/** The variables of a path template: `{name}` of `/users/{name}`. */
export type PathParams<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? { readonly [K in Name]: string } & PathParams<Rest>
  : unknown

/**
 * A path with its variables filled in, each one segment whatever it contains.
 * @returns `undefined` when a value can be no segment: `.` and `..`, which URLs resolve away even when
 * they are escaped, and the empty text, unless it is a server's name at the end (the default server)
 */
export function buildPath<const Path extends string>(
  template: Path,
  params: PathParams<Path>,
): string | undefined {
  const values = params as Readonly<Record<string, string>> // the type says which keys it has
  let isPossible = true
  const path = template.replaceAll(/\{(\w+)\}/g, (variable, name: string) => {
    const value = values[name] ?? ''
    const mayBeEmpty = name === 'server_name' && template.endsWith(variable)
    if (value === '.' || value === '..' || (value === '' && !mayBeEmpty)) isPossible = false
    return escapeSegment(value)
  })
  return isPossible ? path : undefined
}

/**
 * Everything but `A-Z a-z 0-9 _ . - ~ @` as percent-encoded UTF-8.
 * Source: contract rest-api §1.1, outgoing escaping.
 */
export function escapeSegment(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%40', '@')
}
