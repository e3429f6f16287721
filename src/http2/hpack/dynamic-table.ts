/**
 * The dynamic table of a decoder (RFC 7541, section 2.3.2 and 4): what the peer has added, newest first, bounded in size.
 *
 * A ring, so that adding and evicting move nothing. `version` changes whenever an index may mean something else than before.
 */
const ENTRY_OVERHEAD = 32
const SLOTS_AT_FIRST = 32

export class DynamicTable {
  version = 0
  #names: string[] = []
  #values: string[] = []
  /** Where the newest entry is. */
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
    return this.#names[this.#slot(index)]!
  }

  value(index: number): string {
    return this.#values[this.#slot(index)]!
  }

  /** An entry larger than the whole table empties it, which is no fault (section 4.4). */
  add(name: string, value: string): void {
    this.version++
    const bytes = name.length + value.length + ENTRY_OVERHEAD
    this.#evict(this.#bytesMax - bytes)
    if (bytes > this.#bytesMax) return
    if (this.#count === this.#names.length) this.#grow()
    this.#newest = (this.#newest + 1) % this.#names.length
    this.#names[this.#newest] = name
    this.#values[this.#newest] = value
    this.#count++
    this.#bytes += bytes
  }

  resize(bytesMax: number): void {
    this.version++
    this.#bytesMax = bytesMax
    this.#evict(bytesMax)
  }

  #evict(bytesLeft: number): void {
    while (this.#count > 0 && this.#bytes > bytesLeft) {
      const oldest = this.#slot(this.#count - 1)
      this.#bytes -= this.#names[oldest]!.length + this.#values[oldest]!.length + ENTRY_OVERHEAD
      this.#names[oldest] = ''
      this.#values[oldest] = ''
      this.#count--
    }
  }

  #slot(index: number): number {
    const slots = this.#names.length
    return (this.#newest - index + slots) % slots
  }

  #grow(): void {
    const slots = Math.max(SLOTS_AT_FIRST, this.#names.length * 2)
    const names = new Array<string>(slots).fill('')
    const values = new Array<string>(slots).fill('')
    for (let index = 0; index < this.#count; index++) {
      const to = this.#count - 1 - index
      names[to] = this.name(index)
      values[to] = this.value(index)
    }
    this.#newest = Math.max(0, this.#count - 1)
    this.#names = names
    this.#values = values
  }
}
