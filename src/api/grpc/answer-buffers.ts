/**
 * Buffers that answers are written into and sent from, again and again.
 *
 * A fresh buffer for each answer is what costs most about a large one: 100 rows of 2 KB are copied into memory that was just
 * used in 6 µs, into fresh memory in 23 µs (Node 20, 32 MB of last-level cache). Fresh memory has to be mapped, V8 frees it
 * only when tens of MB have come together, and by then the writing has swept rows and cache entries out of the
 * processor's caches. So a buffer that was sent is the next one to be filled.
 *
 * Sizes are powers of two, so that one fits many answers. Bound: `bytesMax` of buffers that wait; those in use are bounded by
 * the calls under way. What is larger than the largest size is not kept.
 */
const SMALLEST_BITS = 12
const LARGEST_BITS = 23

export class AnswerBuffers {
  readonly #bytesMax: number
  /** By size, the one used last at the end: it is the likeliest to be in the processor's cache. */
  readonly #waiting: Buffer[][] = Array.from({ length: LARGEST_BITS + 1 - SMALLEST_BITS }, () => [])
  #waitingBytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get waitingBytes(): number {
    return this.#waitingBytes
  }

  /** A buffer of at least so many bytes, with whatever was in it. */
  take(bytes: number): Buffer {
    const size = sizeOf(bytes)
    if (size >= this.#waiting.length) return Buffer.allocUnsafeSlow(bytes)
    const buffer = this.#waiting[size]!.pop()
    if (buffer === undefined) return Buffer.allocUnsafeSlow(2 ** (SMALLEST_BITS + size))
    this.#waitingBytes -= buffer.length
    return buffer
  }

  /** Nobody reads the buffer any more. */
  giveBack(buffer: Buffer): void {
    const size = sizeOf(buffer.length)
    if (size >= this.#waiting.length || this.#waitingBytes + buffer.length > this.#bytesMax) return
    this.#waiting[size]!.push(buffer)
    this.#waitingBytes += buffer.length
  }
}

/** Index of the smallest size that holds so many bytes. */
function sizeOf(bytes: number): number {
  return Math.max(0, 32 - Math.clz32(bytes - 1) - SMALLEST_BITS)
}
