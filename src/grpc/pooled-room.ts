/** An answer's place in a buffer of the pool, which goes back there when the answer has left. */
import type { BufferPool } from '../http2/output.ts'
import type { AnswerRoom } from './method.ts'

export class PooledRoom implements AnswerRoom {
  readonly #pool: BufferPool
  #buffer: Buffer | undefined

  constructor(pool: BufferPool) {
    this.#pool = pool
  }

  roomFor(bytes: number): Buffer {
    this.#buffer = this.#pool.take(bytes)
    return this.#buffer.subarray(0, bytes)
  }

  /** The buffer, if the answer was written here. */
  bufferOf(answer: Buffer): Buffer | undefined {
    return answer.buffer === this.#buffer?.buffer ? this.#buffer : undefined
  }
}
