/**
 * Memory for the rows of one write: they share buffers of 64 KiB, which is what L1 takes over as they are (`serving/row-slabs.ts`).
 *
 * A buffer for each row of 2 KB takes a microsecond to make and as long to collect, more than its bytes take to copy.
 */
const SHARED_BYTES = 64 * 1024

export class RowMemory {
  #buffer = Buffer.alloc(0)
  #used = 0

  /** Room for one row; about so many rows of that size are still to come, this one among them. */
  take(bytes: number, rowsLeft: number): Buffer {
    if (this.#used + bytes > this.#buffer.length) {
      this.#buffer = Buffer.allocUnsafeSlow(Math.max(bytes, Math.min(SHARED_BYTES, rowsLeft * bytes)))
      this.#used = 0
    }
    const start = this.#used
    this.#used += bytes
    return this.#buffer.subarray(start, this.#used)
  }
}
