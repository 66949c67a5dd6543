/** Deepest nesting that is read. */
const maxDepth = 50

/**
 * Reads a value as people type it on a command line or in a Python file: numbers, quoted strings,
 * `True`/`true`, `None`/`null`, lists, tuples, dicts and sets.
 * @returns `undefined` when the text is none of these
 */
export function parseLiteral(text: string): { readonly value: unknown } | undefined {
  const reader = new LiteralReader(text)
  try {
    return { value: reader.readAll() }
  } catch (error) {
    if (error instanceof LiteralError) return undefined
    throw error
  }
}

class LiteralError extends Error {}

const words: Readonly<Record<string, unknown>> = {
  True: true,
  true: true,
  False: false,
  false: false,
  None: null,
  null: null,
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' }

class LiteralReader {
  readonly #text: string
  #position = 0

  constructor(text: string) {
    this.#text = text
  }

  readAll(): unknown {
    const value = this.#readValue(0)
    this.#skipSpace()
    if (this.#position !== this.#text.length) throw new LiteralError()
    return value
  }

  #readValue(depth: number): unknown {
    if (depth > maxDepth) throw new LiteralError()
    this.#skipSpace()
    const next = this.#text[this.#position]
    switch (next) {
      case '[':
        return this.#readItems(']', depth)
      case '(':
        return this.#readItems(')', depth)
      case '{':
        return this.#readBraces(depth)
      case "'":
      case '"':
        return this.#readString(next)
      default:
        return this.#readWord()
    }
  }

  #readItems(end: string, depth: number): unknown[] {
    const items: unknown[] = []
    this.#position += 1
    while (!this.#take(end)) {
      items.push(this.#readValue(depth + 1))
      if (!this.#take(',')) {
        this.#expect(end)
        return items
      }
    }
    return items
  }

  /** `{}` and `{key: value}` are objects, `{value}` is a set. */
  #readBraces(depth: number): unknown {
    this.#position += 1
    const entries: [string, unknown][] = []
    const members = new Set<unknown>()
    while (!this.#take('}')) {
      const first = this.#readValue(depth + 1)
      if (this.#take(':')) entries.push([toKey(first), this.#readValue(depth + 1)])
      else members.add(first)
      if (!this.#take(',')) {
        this.#expect('}')
        break
      }
    }
    if (members.size === 0) return Object.fromEntries(entries)
    if (entries.length > 0) throw new LiteralError()
    return members
  }

  #readString(quote: string): string {
    let result = ''
    for (let index = this.#position + 1; index < this.#text.length; index += 1) {
      const character = this.#text.charAt(index)
      if (character === quote) {
        this.#position = index + 1
        return result
      }
      if (character !== '\\') {
        result += character
        continue
      }
      index += 1
      const code = /^u([0-9a-fA-F]{4})/.exec(this.#text.slice(index, index + 5))?.[1]
      if (code !== undefined) {
        result += String.fromCharCode(Number.parseInt(code, 16))
        index += 4
      } else {
        const escaped = this.#text.charAt(index)
        result += escapes[escaped] ?? escaped
      }
    }
    throw new LiteralError()
  }

  #readWord(): unknown {
    const word = /^[^\s,:()[\]{}'"]+/.exec(this.#text.slice(this.#position))?.[0]
    if (word === undefined) throw new LiteralError()
    this.#position += word.length
    if (Object.hasOwn(words, word)) return words[word]
    if (/^[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/.test(word)) {
      return Number(word.replaceAll('_', ''))
    }
    throw new LiteralError()
  }

  #take(character: string): boolean {
    this.#skipSpace()
    if (this.#text[this.#position] !== character) return false
    this.#position += 1
    return true
  }

  #expect(character: string): void {
    if (!this.#take(character)) throw new LiteralError()
  }

  #skipSpace(): void {
    while (/\s/.test(this.#text.charAt(this.#position))) this.#position += 1
  }
}

function toKey(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  throw new LiteralError()
}
