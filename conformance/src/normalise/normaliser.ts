import type { Hub } from '../hubs/hub.ts'

/**
 * Replaces what is different on every run by names that are the same: addresses, ids, secrets, times. The same
 * value gets the same name everywhere in a scenario, so that "the token listed is the token made" still shows.
 */
export class Normaliser {
  readonly #hub: Hub
  readonly #names = new Map<string, string>()
  readonly #counts = new Map<string, number>()

  constructor(hub: Hub) {
    this.#hub = hub
  }

  /** `<kind-1>` for the first value of that kind, and so on. */
  name(kind: string, value: string): string {
    const known = this.#names.get(value)
    if (known !== undefined) return known
    const count = (this.#counts.get(kind) ?? 0) + 1
    this.#counts.set(kind, count)
    const name = `<${kind}-${count}>`
    this.#names.set(value, name)
    return name
  }

  /** A text of an answer with every volatile part replaced. */
  text(text: string): string {
    let result = text
      .replaceAll(this.#hub.origin, '{origin}')
      .replaceAll(encodeURIComponent(this.#hub.origin), '{origin}')
      .replaceAll(this.#hub.folder, '{folder}')
      .replaceAll(/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?/g, '<time>')
      .replaceAll(/(?<![a-z_])(state(?:=|%3D|%253D))[\w-]{22}(?![\w-])/g, '$1<state>')
      .replaceAll(/(?<![a-z_])(code_challenge(?:=|%3D|%253D))[\w-]{43}(?![\w-])/g, '$1<challenge>')
      .replaceAll(/(_xsrf=)[^&"'\s]+/g, '$1<xsrf>')
      .replaceAll(/([?&]code=)([^&"'\s]+)/g, (_, key: string, code: string) => {
        return `${key}${this.name('code', code)}`
      })
    for (const [value, name] of this.#names) {
      if (value.length >= 8) result = result.replaceAll(value, name)
    }
    return this.#replacePorts(result)
  }

  #replacePorts(text: string): string {
    return text.replaceAll(
      /((?:127\.0\.0\.1|localhost|\[::1\]):)(\d+)/g,
      (_, host: string, port: string) => {
        return `${host}${this.#hub.ports.get(port) ?? '{port}'}`
      },
    )
  }
}
