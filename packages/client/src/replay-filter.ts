const maxRemembered = 1_000

/** Knows what earlier connections of a stream have delivered, so that a replay is told from news. */
export class ReplayFilter {
  readonly #delivered: string[] = []
  /** How far the replay under way has come; beyond the end once it has parted from the past. */
  #position = 0

  /** Different texts that have been delivered. */
  get size(): number {
    return this.#delivered.length
  }

  /** A connection begins, and with it perhaps a replay. */
  restart(): void {
    this.#position = 0
  }

  /** Whether this text only repeats what came before; remembers it otherwise. */
  hasHad(text: string): boolean {
    if (this.#delivered[this.#position] === text) {
      this.#position++
      return true
    }
    if (this.#delivered.length < maxRemembered) this.#delivered.push(text)
    this.#position = Infinity
    return false
  }
}
