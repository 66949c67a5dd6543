/** A secret of the process, so that nobody can choose keys that meet. */
export type HashKey = readonly [number, number]

/**
 * 64 bits of a text, in `high` and `low` until the next call. Source: HalfSipHash-2-4 (Aumasson,
 * Bernstein), over pairs of UTF-16 units in place of four bytes.
 */
export class KeyHash {
  low = 0
  high = 0
  #v0 = 0
  #v1 = 0
  #v2 = 0
  #v3 = 0

  hash([key0, key1]: HashKey, text: string): void {
    this.#v0 = key0
    this.#v1 = key1 ^ 0xee
    this.#v2 = key0 ^ 0x6c796765
    this.#v3 = key1 ^ 0x74656462
    const { length } = text
    for (let i = 0; i + 1 < length; i += 2) {
      this.#take(text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16))
    }
    // The last unit of an odd text, and the length, so that no text is another's beginning.
    this.#take(length % 2 === 1 ? text.charCodeAt(length - 1) : 0)
    this.#take(length)
    this.#v2 ^= 0xee
    this.#rounds(4)
    this.low = this.#v1 ^ this.#v3
    this.#v1 ^= 0xdd
    this.#rounds(4)
    this.high = this.#v1 ^ this.#v3
  }

  #take(word: number): void {
    this.#v3 ^= word
    this.#rounds(2)
    this.#v0 ^= word
  }

  #rounds(count: number): void {
    let [v0, v1, v2, v3] = [this.#v0, this.#v1, this.#v2, this.#v3]
    for (let i = 0; i < count; i += 1) {
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
    }
    this.#v0 = v0
    this.#v1 = v1
    this.#v2 = v2
    this.#v3 = v3
  }
}
