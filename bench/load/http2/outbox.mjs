/**
 * What is to be sent: gathered for as long as the event loop is in its turn, and then written at once.
 *
 * A write costs some ten microseconds, most of a call's price. Slabs are filled and not used again: what was written may still
 * be read by the system.
 */

const SLAB_BYTES = 64 * 1024

export class Outbox {
  #socket
  #slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
  #begin = 0
  #end = 0
  #isScheduled = false

  constructor(socket) {
    this.#socket = socket
  }

  /** Copies the bytes; gives where in `slab` they are, for the caller to fill in what differs. */
  put(bytes) {
    if (this.#slab.length - this.#end < bytes.length) this.#nextSlab(bytes.length)
    const at = this.#end
    bytes.copy(this.#slab, at)
    this.#end += bytes.length
    if (!this.#isScheduled) {
      this.#isScheduled = true
      process.nextTick(this.#flush)
    }
    return at
  }

  get slab() {
    return this.#slab
  }

  #nextSlab(bytes) {
    this.#write()
    this.#slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, bytes))
    this.#begin = 0
    this.#end = 0
  }

  #flush = () => {
    this.#isScheduled = false
    this.#write()
  }

  #write() {
    if (this.#end === this.#begin || this.#socket.destroyed) return
    this.#socket.write(this.#slab.subarray(this.#begin, this.#end))
    this.#begin = this.#end
  }
}
