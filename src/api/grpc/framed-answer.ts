/**
 * Answers that are written behind their gRPC frame where they are made, and sent from there.
 *
 * grpc-js copies every message once more, behind five bytes of frame in a buffer of its own. A `FramedAnswer` comes
 * with its frame, in a buffer that goes back to the pool once the socket has taken it: 100 rows of 2 KB are copied once, and
 * no memory is allocated for them. The interceptor passes it by grpc-js to the stream of the call. It ends a unary call in the
 * same turn instead of after the write, so that the message and its trailers leave together.
 *
 * The stream is a private field of grpc-js's innermost call, of which a test makes sure; interceptors are its public way
 * in. Rejected: to answer `responseSerialize` with an object whose `copy` assembles the answer in grpc-js's own buffer, which
 * saves the copy and not the fresh memory; and a gRPC server of our own on `node:http2` for one method (decision 024).
 */
import type { ServerHttp2Stream } from 'node:http2'
import { type ServerInterceptingCallInterface as Call, Metadata, type ServerInterceptor, status } from '@grpc/grpc-js'
import type { AnswerBuffers } from '../../lib/answer-buffers.ts'

/** A byte that says whether the message is compressed, then its length, big-endian. */
const FRAME_BYTES = 5

export class FramedAnswer {
  readonly bytes: Buffer
  readonly #buffer: Buffer
  readonly #buffers: AnswerBuffers

  constructor(bytes: Buffer, buffer: Buffer, buffers: AnswerBuffers) {
    this.bytes = bytes
    this.#buffer = buffer
    this.#buffers = buffers
  }

  /** To be called once the bytes are not needed any more; never if that is not sure. */
  sent(): void {
    this.#buffers.giveBack(this.#buffer)
  }
}

/** What a handler gives to grpc-js. */
export type Answered = Buffer | FramedAnswer

/** Where the answer of one request is made. */
export class AnswerRoom {
  readonly #buffers: AnswerBuffers
  #buffer: Buffer | undefined

  constructor(buffers: AnswerBuffers) {
    this.#buffers = buffers
  }

  roomFor(bytes: number): Buffer {
    this.#buffer = this.#buffers.take(FRAME_BYTES + bytes)
    return this.#buffer.subarray(FRAME_BYTES, FRAME_BYTES + bytes)
  }

  /** The answer with its frame, if it was written here. */
  framed(answer: Buffer): Answered {
    const buffer = this.#buffer
    if (buffer === undefined || answer.buffer !== buffer.buffer) return answer
    this.#buffer = undefined
    const end = answer.byteOffset + answer.length - buffer.byteOffset
    const start = end - answer.length - FRAME_BYTES
    buffer[start] = 0
    buffer.writeUInt32BE(answer.length, start + 1)
    return new FramedAnswer(buffer.subarray(start, end), buffer, this.#buffers)
  }
}

/** For the methods with these paths. */
export function framedAnswers(paths: readonly string[]): ServerInterceptor {
  const intercept = (method: { readonly path: string; readonly responseStream: boolean }, call: Call): Call =>
    paths.includes(method.path) ? new FramedCall(call, !method.responseStream) : call
  // Its type asks for grpc-js's own class, private fields and all; its code for the interface.
  return intercept as unknown as ServerInterceptor
}

class FramedCall implements Call {
  readonly #next: Call
  readonly #isUnary: boolean
  #metadataSent = false

  constructor(next: Call, isUnary: boolean) {
    this.#next = next
    this.#isUnary = isUnary
  }

  sendMessage(message: Answered, callback: () => void): void {
    if (!(message instanceof FramedAnswer)) {
      this.#next.sendMessage(message, callback)
      return
    }
    const { stream } = this.#next as unknown as { readonly stream: ServerHttp2Stream }
    // The client is gone, or the deadline has passed; grpc-js drops what comes then too.
    if (stream.destroyed || stream.closed || stream.writableEnded) return
    if (!this.#metadataSent) this.sendMetadata(new Metadata())
    stream.write(message.bytes, (error) => {
      if (error) this.#next.sendStatus({ code: status.INTERNAL, details: 'Internal server error', metadata: null })
      else {
        message.sent()
        if (!this.#isUnary) callback()
      }
    })
    if (this.#isUnary) callback()
  }

  sendMetadata(metadata: Metadata): void {
    this.#metadataSent = true
    this.#next.sendMetadata(metadata)
  }

  start(listener: Parameters<Call['start']>[0]): void {
    this.#next.start(listener)
  }

  sendStatus(status: Parameters<Call['sendStatus']>[0]): void {
    this.#next.sendStatus(status)
  }

  startRead(): void {
    this.#next.startRead()
  }

  getPeer(): string {
    return this.#next.getPeer()
  }

  getDeadline(): ReturnType<Call['getDeadline']> {
    return this.#next.getDeadline()
  }

  getHost(): string {
    return this.#next.getHost()
  }

  getAuthContext(): ReturnType<Call['getAuthContext']> {
    return this.#next.getAuthContext()
  }

  getConnectionInfo(): ReturnType<Call['getConnectionInfo']> {
    return this.#next.getConnectionInfo()
  }

  getMetricsRecorder(): ReturnType<Call['getMetricsRecorder']> {
    return this.#next.getMetricsRecorder()
  }
}
