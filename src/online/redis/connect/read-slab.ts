/**
 * Where a connection reads to: one buffer after the other, each filled from its beginning to its end by as many reads as it takes.
 *
 * Node would allocate 64 KiB for each read and shrink them to what came, and a missed row of 2 KB comes in a read of its own: that was a
 * twelfth of what it costs, and one more buffer for the collector. Rows are then pieces of a buffer that is nothing but rows, which L1
 * keeps as it is (`serving/row-slabs.ts`). No byte is ever written twice: a piece stays what it is for as long as someone holds it.
 */

/** What L1 takes for a slab of its own, and what libuv would read at once. */
const SLAB_BYTES = 64 * 1024
/** Less room than this is not worth a read. A row that does not fit in what is left is read in two pieces, and joined. */
const ROOM_BYTES_MIN = 512

export class ReadSlab {
  #buffer = Buffer.allocUnsafeSlow(SLAB_BYTES)
  #filled = 0

  /** Where the next read goes. */
  room(): Buffer {
    if (SLAB_BYTES - this.#filled < ROOM_BYTES_MIN) {
      this.#buffer = Buffer.allocUnsafeSlow(SLAB_BYTES)
      this.#filled = 0
    }
    return this.#buffer.subarray(this.#filled)
  }

  /** So many bytes were read into that room. */
  take(bytes: number): Buffer {
    const from = this.#filled
    this.#filled += bytes
    return this.#buffer.subarray(from, this.#filled)
  }
}
