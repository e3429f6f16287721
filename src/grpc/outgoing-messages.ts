/** The answers of a call that are not sent at once with their status: headers before the first, compression, and their order. */
import type { Http2Stream } from '../http2/stream.ts'
import type { CallHost } from './call-host.ts'
import { compressed } from './compression.ts'
import { messagePrefix } from './message-reader.ts'
import type { Metadata } from './metadata.ts'
import type { AnswerRoom } from './method.ts'
import { PooledRoom } from './pooled-room.ts'
import { RESPONSE_HEAD, responseHead } from './status.ts'

/** The call that is answered. */
export interface AnsweredCall {
  readonly isOver: boolean
  /** How the next message is compressed, if it is. */
  readonly answerEncoding: 'gzip' | undefined
  readonly answerMetadata: Metadata
}

export class OutgoingMessages {
  isHeadSent = false
  readonly #host: CallHost
  readonly #stream: Http2Stream
  readonly #call: AnsweredCall
  #order: Promise<void> | undefined

  constructor(host: CallHost, stream: Http2Stream, call: AnsweredCall) {
    this.#host = host
    this.#stream = stream
    this.#call = call
  }

  /** Resolves when all are sent; undefined if they are, because nothing had to be compressed. */
  get allSent(): Promise<void> | undefined {
    return this.#order
  }

  /** False if the reader is behind. */
  write(message: Buffer, room?: AnswerRoom): boolean {
    if (this.#call.isOver) return true
    const encoding = this.#call.answerEncoding
    const borrowed = room instanceof PooledRoom ? room.bufferOf(message) : undefined
    if (encoding === undefined && this.#order === undefined) this.#send(message, false, borrowed)
    else this.#sendLater(message, encoding)
    // What waits here has not been taken by the peer: a method that is told so has not ended before its last bytes are as good as sent.
    if (this.#stream.queuedBytes === 0) return true
    this.#stream.wantsDrain = true
    return false
  }

  #sendLater(message: Buffer, encoding: 'gzip' | undefined): void {
    const bytes = encoding === undefined ? message : compressed(message, encoding)
    const before = this.#order ?? Promise.resolve()
    this.#order = Promise.all([bytes, before]).then(([each]) => {
      if (!this.#call.isOver) this.#send(each, encoding !== undefined)
    })
  }

  #send(message: Buffer, isCompressed: boolean, borrowed?: Buffer): void {
    const { sender } = this.#host.connection
    if (!this.isHeadSent) {
      this.isHeadSent = true
      const { answerMetadata, answerEncoding } = this.#call
      const isPlain = answerMetadata.size === 0 && answerEncoding === undefined
      sender.headers(this.#stream, isPlain ? RESPONSE_HEAD : responseHead(answerMetadata, answerEncoding), false)
    }
    sender.data(this.#stream, messagePrefix(message.length, isCompressed))
    sender.data(this.#stream, message, borrowed)
    sender.flush()
    this.#host.flushSoon()
  }
}
