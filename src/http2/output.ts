/**
 * What a connection has to send, in the order it was put here.
 *
 * Small pieces are copied one behind the other into slabs, so that all the answers of one turn leave in one write; large ones
 * are passed on as they are. Slabs come from a pool that all connections share and go back when their bytes have left: an idle
 * connection holds none.
 */

/** Copying this much costs less than one more piece in a gathered write (measured: 4 KB copy in 0.2 us, a piece costs 0.4 us). */
const COPIED_BYTES_MAX = 4096
const SLAB_BYTES = 64 * 1024

/** Where slabs come from: `AnswerBuffers`, which all connections share. */
export interface BufferPool {
  /** At least so many bytes, with whatever was there before. */
  take(bytes: number): Buffer
  giveBack(buffer: Buffer): void
}

export class Output {
  readonly #pool: BufferPool
  /** Lists are made when there is something for them: an idle connection has none. */
  #chunks: Buffer[] | undefined
  #bytes = 0
  #leavingBytes = 0
  #slab: Buffer | undefined
  /** Of the slab, what is in no chunk yet is `[#from, #at)`. */
  #from = 0
  #at = 0
  /** Buffers whose last bytes are in chunks here, and those whose last bytes were taken and have not left. */
  #ending: Buffer[] | undefined
  #leaving: Buffer[] | undefined

  constructor(pool: BufferPool) {
    this.#pool = pool
  }

  /** Bytes that wait to be taken. */
  get bytes(): number {
    return this.#bytes
  }

  /** Bytes that were taken and have not left. */
  get leavingBytes(): number {
    return this.#leavingBytes
  }

  /** The memory that is taken up here; a slab that is not full is counted as if it were. */
  get heldBytes(): number {
    return this.#bytes + this.#leavingBytes + (this.#slab === undefined ? 0 : SLAB_BYTES)
  }

  /**
   * Room for `bytes`, at most a slab, in one piece: the caller must write all of it at once, at `position` of the buffer it
   * gets.
   */
  reserve(bytes: number): Buffer {
    const slab = this.peek(bytes)
    this.#at += bytes
    this.#bytes += bytes
    return slab
  }

  /** Where the room that was reserved, or looked at, last begins. */
  position = 0

  /**
   * Where what is reserved next would be, if it has at most `bytes`: somebody may write there before it is known whether it will be
   * sent at all. It is lost with the next call of anything else here.
   */
  peek(bytes: number): Buffer {
    if (this.#slab === undefined || this.#at + bytes > SLAB_BYTES) this.#nextSlab()
    this.position = this.#at
    return this.#slab!
  }

  /** `bytes[from, to)`; a large piece must not be changed until it has left. */
  append(bytes: Buffer, from: number, to: number): void {
    const length = to - from
    if (length <= COPIED_BYTES_MAX) {
      const slab = this.reserve(length)
      bytes.copy(slab, this.position, from, to)
      return
    }
    this.#closeChunk()
    this.#chunks ??= []
    this.#chunks.push(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to))
    this.#bytes += length
  }

  /** The buffer of a piece that was appended: it is borrowed from the pool. */
  giveBackWhenLeft(buffer: Buffer): void {
    this.#ending ??= []
    this.#ending.push(buffer)
  }

  /** Everything that waits; nothing waits then. `left` is to be called when all that was ever taken has left. */
  take(): Buffer[] {
    this.#closeChunk()
    const chunks = this.#chunks ?? []
    this.#chunks = undefined
    this.#leavingBytes += this.#bytes
    this.#bytes = 0
    this.#leaving = this.#leaving === undefined ? this.#ending : this.#leaving.concat(this.#ending ?? [])
    this.#ending = undefined
    return chunks
  }

  left(): void {
    this.#leavingBytes = 0
    for (const buffer of this.#leaving ?? []) this.#pool.giveBack(buffer)
    this.#leaving = undefined
    if (this.#slab !== undefined && this.#bytes === 0) {
      this.#pool.giveBack(this.#slab)
      this.#slab = undefined
    }
  }

  #closeChunk(): void {
    if (this.#at > this.#from) {
      this.#chunks ??= []
      this.#chunks.push(this.#slab!.subarray(this.#from, this.#at))
    }
    this.#from = this.#at
  }

  #nextSlab(): void {
    this.#closeChunk()
    if (this.#slab !== undefined) this.giveBackWhenLeft(this.#slab)
    this.#slab = this.#pool.take(SLAB_BYTES)
    this.#from = 0
    this.#at = 0
  }
}
