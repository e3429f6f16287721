/**
 * The dynamic table of a decoder (RFC 7541, section 2.3.2 and 4): what the peer has added, newest first, bounded in size.
 *
 * A ring, so that adding and evicting move nothing; one array of few places at first, because every connection has a table and most
 * clients add a dozen entries to it. `version` changes whenever an index may mean something else than before.
 */
const ENTRY_OVERHEAD = 32
const SLOTS_AT_FIRST = 8

export class DynamicTable {
  version = 0
  /** Name and value of each slot. */
  #texts = NO_TEXTS
  /** The slot of the newest entry. */
  #newest = 0
  #count = 0
  #bytes = 0
  #bytesMax: number

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get count(): number {
    return this.#count
  }

  /** By the RFC's measure: names, values, and 32 bytes an entry. */
  get bytes(): number {
    return this.#bytes
  }

  /** `index` 0 is the newest entry and must be below `count`. */
  name(index: number): string {
    return this.#texts[this.#at(index)]!
  }

  value(index: number): string {
    return this.#texts[this.#at(index) + 1]!
  }

  /** An entry larger than the whole table empties it, which is no fault (section 4.4). */
  add(name: string, value: string): void {
    this.version++
    const bytes = name.length + value.length + ENTRY_OVERHEAD
    this.#evict(this.#bytesMax - bytes)
    if (bytes > this.#bytesMax) return
    if (this.#count === this.#slots) this.#grow()
    this.#newest = (this.#newest + 1) % this.#slots
    this.#texts[this.#newest * 2] = name
    this.#texts[this.#newest * 2 + 1] = value
    this.#count++
    this.#bytes += bytes
  }

  resize(bytesMax: number): void {
    this.version++
    this.#bytesMax = bytesMax
    this.#evict(bytesMax)
  }

  get #slots(): number {
    return this.#texts.length >>> 1
  }

  #evict(bytesLeft: number): void {
    while (this.#count > 0 && this.#bytes > bytesLeft) {
      const oldest = this.#at(this.#count - 1)
      this.#bytes -= this.#texts[oldest]!.length + this.#texts[oldest + 1]!.length + ENTRY_OVERHEAD
      this.#texts[oldest] = ''
      this.#texts[oldest + 1] = ''
      this.#count--
    }
  }

  /** Where the entry's name is; its value is behind it. */
  #at(index: number): number {
    const slots = this.#slots
    return ((this.#newest - index + slots) % slots) * 2
  }

  #grow(): void {
    const slots = Math.max(SLOTS_AT_FIRST, this.#slots * 2)
    const texts = new Array<string>(slots * 2).fill('')
    for (let index = 0; index < this.#count; index++) {
      const to = (this.#count - 1 - index) * 2
      texts[to] = this.name(index)
      texts[to + 1] = this.value(index)
    }
    this.#newest = Math.max(0, this.#count - 1)
    this.#texts = texts
  }
}

/** Of all tables without an entry: never written to, as the first entry makes a table grow. */
const NO_TEXTS: string[] = []
