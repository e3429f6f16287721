/** An answer's place in a buffer of the pool, which goes back there when the answer has left. */
import type { SlabPool } from '../http2/output.ts'
import type { AnswerRoom } from './method.ts'

export class PooledRoom implements AnswerRoom {
  readonly #pool: SlabPool
  #buffer: Buffer | undefined

  constructor(pool: SlabPool) {
    this.#pool = pool
  }

  roomFor(bytes: number): Buffer {
    this.#buffer = this.#pool.takeRoom(bytes)
    return this.#buffer.subarray(0, bytes)
  }

  /** The buffer, if the answer was written here. */
  bufferOf(answer: Buffer): Buffer | undefined {
    return answer.buffer === this.#buffer?.buffer ? this.#buffer : undefined
  }
}
