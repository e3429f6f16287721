/**
 * Buffers that answers are written into and sent from, again and again.
 *
 * A fresh buffer for each answer is what costs most about a large one: 100 rows of 2 KB are copied into memory that was just
 * used in 6 µs, into fresh memory in 23 µs (Node 20, 32 MB of last-level cache). Fresh memory has to be mapped, V8 frees it
 * only when tens of MB have come together, and by then the writing has swept rows and cache entries out of the
 * processor's caches. So a buffer that was sent is the next one to be filled.
 *
 * Sizes are powers of two, so that one fits many answers. Bound: `bytesMax` of buffers that wait, those that have waited longest leaving
 * first (else the sizes of an earlier load would keep out those of this one); buffers in use are bounded by the calls under way. What is larger
 * than the largest size is not kept.
 */
const SMALLEST_BITS = 12
const LARGEST_BITS = 23

/** Buffers of one size, the one used last at the end: it is the likeliest to be in the processor's cache. */
interface Size {
  readonly bytes: number
  readonly waiting: Buffer[]
  /** By the same index: how many buffers had been given back when it was. */
  readonly since: number[]
}

export class AnswerBuffers {
  readonly #bytesMax: number
  readonly #sizes: readonly Size[] = Array.from({ length: LARGEST_BITS + 1 - SMALLEST_BITS }, (_, index) => ({
    bytes: 2 ** (SMALLEST_BITS + index),
    waiting: [],
    since: [],
  }))
  #waitingBytes = 0
  #givenBack = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get waitingBytes(): number {
    return this.#waitingBytes
  }

  /** A buffer of at least so many bytes, with whatever was in it. */
  take(bytes: number): Buffer {
    const size = this.#sizes[indexOf(bytes)]
    if (size === undefined) return Buffer.allocUnsafeSlow(bytes)
    const buffer = size.waiting.pop()
    if (buffer === undefined) return Buffer.allocUnsafeSlow(size.bytes)
    size.since.pop()
    this.#waitingBytes -= size.bytes
    return buffer
  }

  /** Nobody reads the buffer any more. */
  giveBack(buffer: Buffer): void {
    const size = this.#sizes[indexOf(buffer.length)]
    if (size === undefined || size.bytes > this.#bytesMax) return
    size.waiting.push(buffer)
    size.since.push(this.#givenBack++)
    this.#waitingBytes += size.bytes
    while (this.#waitingBytes > this.#bytesMax) this.#dropOldest()
  }

  #dropOldest(): void {
    let oldest: Size | undefined
    for (const size of this.#sizes) {
      if (size.waiting.length > 0 && (oldest === undefined || size.since[0]! < oldest.since[0]!)) oldest = size
    }
    oldest!.waiting.shift()
    oldest!.since.shift()
    this.#waitingBytes -= oldest!.bytes
  }
}

/** Index of the smallest size that holds so many bytes. */
function indexOf(bytes: number): number {
  return Math.max(0, 32 - Math.clz32(Math.max(bytes, 1) - 1) - SMALLEST_BITS)
}
