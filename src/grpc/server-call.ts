/**
 * One call: its messages in, its answer and status out, within its deadline.
 *
 * A unary call whose answer is there at once is replied to within the event that brought its request, without a promise, a timer or
 * a signal; those are made when a call has to wait. The status is sent once: by the method's end, by the deadline, or not at all if the
 * client is gone. Work that goes on after the status counts as the connection's until it ends.
 */
import type { Http2Connection } from '../http2/connection.ts'
import type { Http2Stream } from '../http2/stream.ts'
import type { CallHead } from './call-head.ts'
import { compressed, decompressed, isCompression, MessageTooLarge } from './compression.ts'
import { messagesOf, writeAll } from './message-queue.ts'
import { MessageReader, type MessageSink, messagePrefix, PREFIX_BYTES } from './message-reader.ts'
import { type Metadata, NO_METADATA } from './metadata.ts'
import type { AnswerRoom, CallContext, MessageStream, Method } from './method.ts'
import { PooledRoom } from './pooled-room.ts'
import {
  type CallStatus,
  OK,
  OK_TRAILERS,
  RESPONSE_HEAD,
  responseHead,
  STATUS,
  trailers,
  trailersOnly,
} from './status.ts'

export interface CallHost {
  readonly connection: Http2Connection
  /** The largest message of a request, bytes, after decompression. */
  readonly messageBytesMax: number
  /** Of all calls of the connection: what has come of requests that no method has yet, bytes. */
  readonly incomingBytesMax: number
  incomingBytes: number
  /** Monotonic, milliseconds. */
  nowMs(): number
  after(delayMs: number, callback: () => void): { cancel(): void }
  /** The status for what a method threw or rejected with; `abortReason` is undefined if the call was not aborted. */
  statusOf(error: unknown, path: string, abortReason: unknown): CallStatus
  /** How long before its deadline a method gives up that leaves time to answer. */
  answerMarginMs(leftMs: number): number
  /** Why calls are aborted, as the methods and `statusOf` see it. */
  abortReason(kind: 'cancelled' | 'deadline'): unknown
  onEnded(path: string, code: number, durationMs: number): void
  /** There is output, made outside of `receive`. */
  flushSoon(): void
}

/**
 * A client that gives up so shortly before the deadline does so because of it: its time began when it sent the call, ours when that was
 * read. Of a short deadline it is half.
 */
const DEADLINE_SLACK_MS = 25

/** The longest delay timers take; a later deadline needs none. */
const TIMER_MS_MAX = 0x7fffffff

export class ServerCall implements CallContext, MessageSink, MessageStream {
  onMessage: (message: Buffer) => void = ignore
  onEnd: () => void = ignore
  onDrain: () => void = ignore
  answerMetadata: Metadata = NO_METADATA
  answerTrailers: Metadata = NO_METADATA
  compressesAnswers = false
  lastMessageWasCompressed = false
  readonly #host: CallHost
  readonly #stream: Http2Stream
  readonly #head: CallHead
  readonly #method: Method
  readonly #beganMs: number
  #reader: MessageReader | undefined
  #controller: AbortController | undefined
  #abortReason: unknown
  #timer: { cancel(): void } | undefined
  #request: Buffer | undefined
  /** Where the answer was written, if that is a buffer of the pool. */
  #room: PooledRoom | undefined
  /** Messages that came while paused; their bytes are not given back before they are handed on. */
  #held: Buffer[] = []
  #heldBytes = 0
  #incomingBytes = 0
  #isPaused = true
  #isRequestEnded = false
  #isEndTold = false
  #isHeadSent = false
  #isStatusSent = false
  #isStarted = false
  /** A unary method runs, and nothing else is sent meanwhile. */
  #isAnswering = false
  /** Messages are decompressed and compressed in their order. */
  #incoming: Promise<void> | undefined
  #outgoing: Promise<void> | undefined

  constructor(host: CallHost, stream: Http2Stream, head: CallHead, method: Method) {
    this.#host = host
    this.#stream = stream
    this.#head = head
    this.#method = method
    this.#beganMs = host.nowMs()
  }

  get path(): string {
    return this.#head.path
  }

  get metadata(): Metadata {
    return this.#head.metadata
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason)
    }
    return this.#controller.signal
  }

  remainingMs(): number {
    return this.#head.timeoutMs - (this.#host.nowMs() - this.#beganMs)
  }

  /** An answer that is made before `handle` returns may be written where it is sent from. */
  roomFor(bytes: number): Buffer {
    const { sender, pool } = this.#host.connection
    const room = this.#isAnswering ? sender.replyRoom(this.#stream, RESPONSE_HEAD, PREFIX_BYTES, bytes) : undefined
    if (room !== undefined) return room
    this.#room = new PooledRoom(pool)
    return this.#room.roomFor(bytes)
  }

  answerRoom(): AnswerRoom {
    return new PooledRoom(this.#host.connection.pool)
  }

  /** The headers have come. */
  open(isEnded: boolean): void {
    if (this.#head.timeoutMs <= 0) {
      this.#abort('deadline')
      return
    }
    const { kind } = this.#method
    if (kind === 'clientStream' || kind === 'bidi' || kind === 'push') this.#start()
    if (isEnded) this.requestEnded()
  }

  data(bytes: Buffer, from: number, to: number): void {
    if (this.#isStatusSent) {
      this.#host.connection.take(this.#stream, to - from)
      return
    }
    this.#incomingBytes += to - from
    this.#host.incomingBytes += to - from
    if (this.#host.incomingBytes > this.#host.incomingBytesMax) {
      const details = `requests of more than ${this.#host.incomingBytesMax} bytes are under way on this connection (grpc-incoming-bytes-max)`
      this.#fail({ code: STATUS.resourceExhausted, details })
      this.#host.connection.take(this.#stream, to - from)
      return
    }
    this.#reader ??= new MessageReader(this.#host.messageBytesMax)
    this.#reader.receive(bytes, from, to, this)
    // A streaming method gives back what it has been handed; the rest of a message is bounded by itself.
    const heldBytes = this.#isPaused && this.#held.length > 0 ? to - from : 0
    this.#host.connection.take(this.#stream, to - from - heldBytes)
    this.#heldBytes += heldBytes
  }

  message(bytes: Buffer, isCompressed: boolean): void {
    this.lastMessageWasCompressed = isCompressed
    if (!isCompressed) {
      if (this.#incoming === undefined) this.#accept(bytes)
      else this.#incoming = this.#incoming.then(() => this.#accept(bytes))
      return
    }
    const { encoding } = this.#head
    if (!isCompression(encoding)) {
      this.#fail({ code: STATUS.internal, details: 'a message is compressed, but grpc-encoding does not say how' })
      return
    }
    const plain = decompressed(bytes, encoding, this.#host.messageBytesMax)
    const before = this.#incoming ?? Promise.resolve()
    this.#incoming = Promise.all([plain, before]).then(
      ([message]) => this.#accept(message),
      (error: unknown) => {
        if (error instanceof MessageTooLarge) this.tooLarge(undefined)
        else this.#fail({ code: STATUS.internal, details: `a message is not valid ${encoding}` })
      },
    )
  }

  tooLarge(bytes: number | undefined): void {
    const size = bytes === undefined ? 'after decompression ' : `(${bytes} bytes) `
    const details = `a message ${size}is larger than ${this.#host.messageBytesMax} bytes, option grpc-message-bytes-max`
    this.#fail({ code: STATUS.resourceExhausted, details })
  }

  requestEnded(): void {
    if (this.#incoming === undefined) this.#endRequest()
    else this.#incoming = this.#incoming.then(() => this.#endRequest())
  }

  /** The stream is gone, and with it whoever wanted the answer. */
  aborted(): void {
    if (this.#isStatusSent) return
    this.#isStatusSent = true
    const isLate = this.remainingMs() <= Math.min(DEADLINE_SLACK_MS, this.#head.timeoutMs / 2)
    this.#ended(isLate ? STATUS.deadlineExceeded : STATUS.cancelled)
    this.#abortWork(isLate ? 'deadline' : 'cancelled')
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    while (this.#held.length > 0 && !this.#isPaused) this.#handOn(this.#held.shift()!)
    if (this.#held.length === 0 && this.#heldBytes > 0) {
      this.#host.connection.take(this.#stream, this.#heldBytes)
      this.#heldBytes = 0
      this.#host.flushSoon()
    }
    this.#tellEnd()
  }

  write(message: Buffer, room?: AnswerRoom): boolean {
    if (this.#isStatusSent) return true
    const encoding = this.#answerEncoding()
    const borrowed = room instanceof PooledRoom ? room.bufferOf(message) : undefined
    if (encoding === undefined && this.#outgoing === undefined) this.#send(message, false, borrowed)
    else this.#sendLater(message, encoding)
    // What waits here has not been taken by the peer: a method that is told so has not ended before its last bytes are as good as sent.
    if (this.#stream.queuedBytes === 0) return true
    this.#stream.wantsDrain = true
    return false
  }

  #accept(message: Buffer): void {
    if (this.#isStatusSent) return
    const { kind } = this.#method
    if (kind === 'unary' || kind === 'serverStream') {
      if (this.#request !== undefined)
        this.#fail({ code: STATUS.unimplemented, details: `${this.path} takes one message` })
      this.#request = message
    } else if (this.#isPaused || this.#held.length > 0) this.#held.push(message)
    else this.#handOn(message)
  }

  /** What has come is the method's now, or nobody's. */
  #releaseIncoming(): void {
    this.#host.incomingBytes -= this.#incomingBytes
    this.#incomingBytes = 0
  }

  /** What a method does with a message must not get at the connection. */
  #handOn(message: Buffer): void {
    if (this.#held.length === 0) this.#releaseIncoming()
    try {
      this.onMessage(message)
    } catch (error) {
      this.#fail(this.#statusOf(error))
    }
  }

  #endRequest(): void {
    if (this.#isStatusSent || this.#isRequestEnded) return
    this.#isRequestEnded = true
    if (this.#reader?.isWithinMessage) {
      this.#fail({ code: STATUS.internal, details: 'the request ends within a message' })
      return
    }
    const { kind } = this.#method
    if (kind !== 'unary' && kind !== 'serverStream') this.#tellEnd()
    else if (this.#request === undefined)
      this.#fail({ code: STATUS.unimplemented, details: `${this.path} takes one message` })
    else this.#start()
  }

  #tellEnd(): void {
    if (!this.#isRequestEnded || this.#held.length > 0 || this.#isEndTold) return
    this.#isEndTold = true
    try {
      this.onEnd()
    } catch (error) {
      this.#fail(this.#statusOf(error))
    }
  }

  #start(): void {
    const { sender } = this.#host.connection
    if (sender.isCrowded) {
      // A client that asks for more than it reads waits; nothing is made for it meanwhile.
      this.#watchDeadline()
      sender.whenRoom(() => {
        if (!this.#isStatusSent) this.#start()
      })
      return
    }
    this.#isStarted = true
    this.#releaseIncoming()
    const method = this.#method
    try {
      if (method.kind === 'unary') {
        this.#isAnswering = true
        const answer = method.handle(this.#request!, this)
        this.#isAnswering = false
        if (Buffer.isBuffer(answer)) this.#reply(answer)
        else this.#follow(answer.then((message) => this.#reply(message)))
        return
      }
      this.#follow(this.#run(method))
    } catch (error) {
      this.#isAnswering = false
      this.#finish(this.#statusOf(error))
      this.#host.connection.workEnded(this.#stream)
    }
  }

  async #run(method: Exclude<Method, { kind: 'unary' }>): Promise<void> {
    switch (method.kind) {
      case 'serverStream':
        await writeAll(this, method.handle(this.#request!, this), this.signal)
        break
      case 'bidi':
        await writeAll(this, method.handle(messagesOf(this, this.signal), this), this.signal)
        break
      case 'clientStream':
        this.write(await method.handle(messagesOf(this, this.signal), this))
        break
      case 'push':
        await method.handle(this, this)
    }
    await this.#outgoing
    this.#finish(OK)
  }

  /** The work takes longer than this turn: its deadline needs a timer now. */
  #follow(work: Promise<void>): void {
    this.#watchDeadline()
    work
      .catch((error: unknown) => this.#finish(this.#statusOf(error)))
      .finally(() => {
        this.#timer?.cancel()
        this.#host.connection.workEnded(this.#stream)
        this.#host.flushSoon()
      })
  }

  #watchDeadline(): void {
    this.#timer?.cancel()
    const leftMs = this.remainingMs()
    if (leftMs > TIMER_MS_MAX) return
    const method = this.#method
    if (method.kind !== 'unary' || method.leavesTimeToAnswer !== true) {
      this.#timer = this.#host.after(Math.max(0, leftMs), () => this.#abort('deadline'))
      return
    }
    const marginMs = this.#host.answerMarginMs(Math.max(0, leftMs))
    this.#timer = this.#host.after(Math.max(0, leftMs - marginMs), () => {
      this.#abortWork('deadline')
      this.#timer = this.#host.after(marginMs, () => this.#abort('deadline'))
    })
  }

  #reply(message: Buffer): void | Promise<void> {
    if (this.#isStatusSent) return
    const encoding = this.#answerEncoding()
    const isPlain = this.answerMetadata.size === 0 && this.answerTrailers.size === 0 && encoding === undefined
    if (!isPlain) {
      // What was written into its room would not stay there.
      this.write(Buffer.from(message))
      if (this.#outgoing !== undefined) return this.#outgoing.then(() => this.#finish(OK))
      this.#finish(OK)
    } else {
      this.#isStatusSent = true
      const { connection } = this.#host
      const room = this.#room?.bufferOf(message)
      connection.sender.reply(
        this.#stream,
        RESPONSE_HEAD,
        messagePrefix(message.length, false),
        message,
        OK_TRAILERS,
        room,
      )
      this.#ended(STATUS.ok)
    }
    this.#host.connection.workEnded(this.#stream)
  }

  #statusOf(error: unknown): CallStatus {
    return this.#host.statusOf(error, this.path, this.#abortReason)
  }

  #answerEncoding(): 'gzip' | undefined {
    return this.compressesAnswers && this.#head.acceptsGzip ? 'gzip' : undefined
  }

  #sendLater(message: Buffer, encoding: 'gzip' | undefined): void {
    const bytes = encoding === undefined ? message : compressed(message, encoding)
    const before = this.#outgoing ?? Promise.resolve()
    this.#outgoing = Promise.all([bytes, before]).then(([each]) => {
      if (!this.#isStatusSent) this.#send(each, encoding !== undefined)
    })
  }

  #send(message: Buffer, isCompressed: boolean, borrowed?: Buffer): void {
    const { sender } = this.#host.connection
    if (!this.#isHeadSent) {
      this.#isHeadSent = true
      const encoding = this.compressesAnswers ? this.#answerEncoding() : undefined
      const isPlain = this.answerMetadata.size === 0 && encoding === undefined
      sender.headers(this.#stream, isPlain ? RESPONSE_HEAD : responseHead(this.answerMetadata, encoding), false)
    }
    sender.data(this.#stream, messagePrefix(message.length, isCompressed))
    sender.data(this.#stream, message, borrowed)
    sender.flush()
    this.#host.flushSoon()
  }

  #abort(kind: 'cancelled' | 'deadline'): void {
    if (this.#isStatusSent) return
    this.#abortWork(kind)
    this.#fail(this.#statusOf(this.#abortReason))
  }

  #abortWork(kind: 'cancelled' | 'deadline'): void {
    this.#abortReason = this.#host.abortReason(kind)
    this.#controller?.abort(this.#abortReason)
    this.#timer?.cancel()
    if (!this.#isStarted) this.#host.connection.workEnded(this.#stream)
  }

  /** Ends the call for a fault that no method has to do with. */
  #fail(status: CallStatus): void {
    if (this.#isStatusSent) return
    this.#finish(status)
    if (this.#isStarted) this.#abortWork('cancelled')
    else this.#host.connection.workEnded(this.#stream)
  }

  #finish(status: CallStatus): void {
    if (this.#isStatusSent) return
    this.#isStatusSent = true
    const { sender } = this.#host.connection
    if (this.#isHeadSent) {
      const isPlain = status.code === STATUS.ok && this.answerTrailers.size === 0
      sender.end(this.#stream, isPlain ? OK_TRAILERS : trailers(status, this.answerTrailers))
    } else {
      sender.headers(this.#stream, trailersOnly(status, merged(this.answerMetadata, this.answerTrailers)), true)
    }
    this.#ended(status.code)
    this.#host.flushSoon()
  }

  #ended(code: number): void {
    this.#releaseIncoming()
    this.#request = undefined
    this.#held.length = 0
    this.#host.onEnded(this.path, code, this.#host.nowMs() - this.#beganMs)
  }
}

function ignore(): void {}

function merged(first: Metadata, second: Metadata): Metadata {
  return second.size === 0 ? first : new Map([...first, ...second])
}
