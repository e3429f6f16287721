/**
 * What waits in memory for peers to read, of all connections of a server together, and how much of it one may have.
 *
 * How much that is depends on what is free, as in switches whose queues share a memory (Choudhury and Hahne, "Dynamic Queue Length
 * Thresholds", 1998): a connection that holds more than is free begins no calls. So n that do not read come to hold 1/(n+1) each, and as much
 * stays free for the next: whoever reads is not kept from answers by those who do not. A connection that holds next to nothing may always begin.
 *
 * Calls that had begun may take it beyond the bound all the same. Then it is looked again and again what of that stands, and those connections
 * are ended that hold more than their part and of that most that stands (`relieve`): of a peer that reads, however much, nothing does for
 * long.
 */

/** Two slabs of answers under way. */
const ALWAYS_ALLOWED_BYTES = 128 * 1024

export class HeldBytes {
  readonly bytesMax: number
  /** As long as less than this is held, connections have their own limit only. */
  readonly scarceFrom: number
  bytes = 0
  readonly #onOver: () => void

  /** `onOver` is called when it is, with every change until it is not. */
  constructor(bytesMax: number, onOver: () => void) {
    this.bytesMax = bytesMax
    this.scarceFrom = bytesMax / 2
    this.#onOver = onOver
  }

  get isOver(): boolean {
    return this.bytes > this.bytesMax
  }

  change(by: number): void {
    this.bytes += by
    if (by > 0 && this.isOver) this.#onOver()
  }
}

/** One connection's part. */
export class HeldShare {
  readonly all: HeldBytes
  #bytes = 0
  #standingBytes = 0
  #looks = 0

  constructor(all: HeldBytes) {
    this.all = all
  }

  /** After each event of the connection: what it holds now. */
  settle(bytes: number): void {
    this.all.change(bytes - this.#bytes)
    this.#bytes = bytes
  }

  /** It holds `bytes`, settled or not, and that is more than is free. */
  isTooMuch(bytes: number): boolean {
    const free = this.all.bytesMax - (this.all.bytes - this.#bytes + bytes)
    return bytes > Math.max(ALWAYS_ALLOWED_BYTES, free)
  }

  left(bytes: number): void {
    this.#standingBytes = Math.max(0, this.#standingBytes - bytes)
  }

  /** Looks at what is held, if what was seen before has left. */
  look(): void {
    if (this.standingBytes > 0) this.#looks++
    else {
      this.#looks = 0
      this.#standingBytes = this.#bytes
    }
  }

  /** How many looks ago there were `standingBytes` that are there yet. */
  get looks(): number {
    return this.#looks
  }

  get bytes(): number {
    return this.#bytes
  }

  get standingBytes(): number {
    return Math.min(this.#standingBytes, this.#bytes)
  }
}
