/** Longer lines and events are no hub's: memory stays bounded whatever arrives. */
const defaultMaxChars = 1_048_576

/** What an event stream holds that is not one: nothing of it can be trusted from there on. */
export class EventStreamError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'EventStreamError'
  }
}

/**
 * Takes an event stream apart, in whatever pieces it arrives.
 * Source: HTML Living Standard §9.2.6; of the fields only `data` counts here (contract rest-api §8.8).
 */
export class EventStreamParser {
  readonly #decoder = new TextDecoder()
  readonly #maxChars: number
  #line = ''
  #data: string[] = []
  #dataChars = 0
  #endedWithCr = false

  constructor(options: { readonly maxChars?: number } = {}) {
    this.#maxChars = options.maxChars ?? defaultMaxChars
  }

  /**
   * @returns the data of the events that this piece completes
   * @throws EventStreamError when a line or an event is too long
   */
  push(chunk: Uint8Array): string[] {
    let text = this.#decoder.decode(chunk, { stream: true })
    if (text === '') return []
    // The second half of a CR LF whose first half ended the piece before.
    if (this.#endedWithCr && text.startsWith('\n')) text = text.slice(1)
    this.#endedWithCr = text.endsWith('\r')
    const lines = text.split(/\r\n|\n|\r/)
    const events: string[] = []
    for (const [index, part] of lines.entries()) {
      this.#line += part
      this.#check(this.#line.length)
      if (index === lines.length - 1) break
      const event = this.#endLine()
      if (event !== undefined) events.push(event)
    }
    return events
  }

  #endLine(): string | undefined {
    const line = this.#line
    this.#line = ''
    if (line === '') return this.#dispatch()
    if (line !== 'data' && !line.startsWith('data:')) return undefined
    const value = line.slice('data:'.length).replace(/^ /, '')
    this.#data.push(value)
    this.#dataChars += value.length + 1
    this.#check(this.#dataChars)
    return undefined
  }

  #dispatch(): string | undefined {
    if (this.#data.length === 0) return undefined
    const event = this.#data.join('\n')
    this.#data = []
    this.#dataChars = 0
    return event
  }

  #check(length: number): void {
    if (length > this.#maxChars) {
      throw new EventStreamError(`an event is longer than ${this.#maxChars} characters`)
    }
  }
}
