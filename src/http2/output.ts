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

/** Rooms for large answers are powers of two from 8 KB to 8 MB; what is larger is not kept. */
const ROOM_BITS_MIN = 13
const ROOM_BITS_MAX = 23

/**
 * Buffers that nobody uses: slabs, and rooms for large answers. A buffer that has just been sent is the best one to fill: it is mapped,
 * it is likely to be in the processor's cache, and the garbage collector hears nothing of it. At most `bytesMax` are kept.
 */
export class SlabPool {
  readonly #slabs: Buffer[] = []
  readonly #rooms: Buffer[][] = Array.from({ length: ROOM_BITS_MAX + 1 - ROOM_BITS_MIN }, () => [])
  readonly #bytesMax: number
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  take(): Buffer {
    const slab = this.#slabs.pop()
    if (slab === undefined) return Buffer.allocUnsafeSlow(SLAB_BYTES)
    this.#bytes -= SLAB_BYTES
    return slab
  }

  giveBack(slab: Buffer): void {
    this.#keep(slab, this.#slabs)
  }

  /** At least so many bytes, with whatever was there before. */
  takeRoom(bytes: number): Buffer {
    const size = roomSize(bytes)
    const rooms = this.#rooms[size]
    if (rooms === undefined) return Buffer.allocUnsafeSlow(bytes)
    const room = rooms.pop()
    if (room === undefined) return Buffer.allocUnsafeSlow(2 ** (ROOM_BITS_MIN + size))
    this.#bytes -= room.length
    return room
  }

  giveBackRoom(room: Buffer): void {
    const rooms = this.#rooms[roomSize(room.length)]
    if (rooms !== undefined) this.#keep(room, rooms)
  }

  #keep(buffer: Buffer, among: Buffer[]): void {
    if (this.#bytes + buffer.length > this.#bytesMax) return
    this.#bytes += buffer.length
    among.push(buffer)
  }
}

/** The smallest power of two that holds so many bytes. */
function roomSize(bytes: number): number {
  return Math.max(0, 32 - Math.clz32(bytes - 1) - ROOM_BITS_MIN)
}

function moveAll(from: Buffer[], to: Buffer[]): void {
  while (from.length > 0) to.push(from.pop()!)
}

interface Buffers {
  readonly slabs: Buffer[]
  readonly rooms: Buffer[]
}

export class Output {
  readonly #pool: SlabPool
  #chunks: Buffer[] = []
  #bytes = 0
  #slab: Buffer | undefined
  /** Of the slab, what is in no chunk yet is `[#from, #at)`. */
  #from = 0
  #at = 0
  /** Full slabs and rooms whose last bytes are in chunks here, and those whose last bytes were taken and have not left. */
  readonly #ending: Buffers = { slabs: [], rooms: [] }
  readonly #leaving: Buffers = { slabs: [], rooms: [] }

  constructor(pool: SlabPool) {
    this.#pool = pool
  }

  /** Bytes that wait to be taken. */
  get bytes(): number {
    return this.#bytes
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
    this.#chunks.push(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to))
    this.#bytes += length
  }

  /** The buffer of a piece that was appended: it is borrowed from the pool. */
  giveBackWhenLeft(buffer: Buffer): void {
    this.#ending.rooms.push(buffer)
  }

  /** Everything that waits; nothing waits then. `left` is to be called when all that was ever taken has left. */
  take(): Buffer[] {
    this.#closeChunk()
    const chunks = this.#chunks
    this.#chunks = []
    this.#bytes = 0
    moveAll(this.#ending.slabs, this.#leaving.slabs)
    moveAll(this.#ending.rooms, this.#leaving.rooms)
    return chunks
  }

  left(): void {
    const { slabs, rooms } = this.#leaving
    while (slabs.length > 0) this.#pool.giveBack(slabs.pop()!)
    while (rooms.length > 0) this.#pool.giveBackRoom(rooms.pop()!)
    if (this.#slab !== undefined && this.#bytes === 0) {
      this.#pool.giveBack(this.#slab)
      this.#slab = undefined
    }
  }

  #closeChunk(): void {
    if (this.#at > this.#from) this.#chunks.push(this.#slab!.subarray(this.#from, this.#at))
    this.#from = this.#at
  }

  #nextSlab(): void {
    this.#closeChunk()
    if (this.#slab !== undefined) this.#ending.slabs.push(this.#slab)
    this.#slab = this.#pool.take()
    this.#from = 0
    this.#at = 0
  }
}
