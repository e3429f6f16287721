/**
 * One call: its messages in, its answer and status out, within its deadline.
 *
 * A unary call whose answer is there at once is replied to within the event that brought its request, without a promise, a timer or
 * a signal; those are made when a call has to wait, as is what only streams need. The status is sent once: by the method's end, by the
 * deadline, or not at all if the client is gone. Work that goes on after the status counts as the connection's until it ends.
 */
import type { Http2Stream } from '../http2/stream.ts'
import { CallAbort } from './call-abort.ts'
import type { CallHead } from './call-head.ts'
import type { AbortKind, CallHost } from './call-host.ts'
import { CallStream, type StreamingCall } from './call-stream.ts'
import { DEADLINE_SLACK_MS } from './deadline-times.ts'
import { type IncomingCall, IncomingMessages, type MessageTaker } from './incoming-messages.ts'
import { kept, messagePrefix, PREFIX_BYTES } from './message-reader.ts'
import { type Metadata, NO_METADATA } from './metadata.ts'
import type { AnswerRoom, CallContext, Method } from './method.ts'
import { type AnsweredCall, OutgoingMessages } from './outgoing-messages.ts'
import { PooledRoom } from './pooled-room.ts'
import { type CallStatus, OK, OK_TRAILERS, RESPONSE_HEAD, STATUS, trailers, trailersOnly } from './status.ts'
import { runStreaming } from './streaming-run.ts'

export class ServerCall implements CallContext, MessageTaker, IncomingCall, AnsweredCall, StreamingCall {
  answerMetadata: Metadata = NO_METADATA
  answerTrailers: Metadata = NO_METADATA
  compressesAnswers = false
  lastMessageWasCompressed = false
  /** The status is sent, or nobody is there to get it. */
  isOver = false
  readonly #host: CallHost
  readonly #stream: Http2Stream
  readonly #head: CallHead
  readonly #method: Method
  readonly #beganMs: number
  #incoming: IncomingMessages | undefined
  #outgoing: OutgoingMessages | undefined
  #messages: CallStream | undefined
  #abort: CallAbort | undefined
  /** Of a method that takes one. */
  #request: Buffer | undefined
  /** Where the answer was written, if that is a buffer of the pool. */
  #room: PooledRoom | undefined
  #isStarted = false
  /** A unary method runs, and nothing else is sent meanwhile. */
  #isAnswering = false

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

  get headBytes(): number {
    return this.#head.bytes
  }

  get encoding(): string {
    return this.#head.encoding
  }

  get answerEncoding(): 'gzip' | undefined {
    return this.compressesAnswers && this.#head.acceptsGzip ? 'gzip' : undefined
  }

  get signal(): AbortSignal {
    this.#abort ??= new CallAbort(this.#host)
    return this.#abort.signal
  }

  whenAborted(listener: (reason: unknown) => void): void {
    this.#abort ??= new CallAbort(this.#host)
    this.#abort.whenAborted(listener)
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
      this.#expire()
      return
    }
    const { kind } = this.#method
    const isOfOneMessage = kind === 'unary' || kind === 'serverStream'
    if (!isOfOneMessage) {
      this.#messages = new CallStream(this)
      this.#start()
    }
    if (isEnded) {
      this.requestEnded()
      return
    }
    this.#incoming = new IncomingMessages(this.#host, this.#stream, this, this.#messages ?? this)
    if (isOfOneMessage) this.#incoming.wait()
  }

  data(bytes: Buffer, from: number, to: number): void {
    if (this.isOver) {
      this.#host.connection.take(this.#stream, to - from)
      return
    }
    this.#incoming!.receive(bytes, from, to)
  }

  requestEnded(): void {
    if (this.#incoming !== undefined) this.#incoming.end()
    else if (this.#messages !== undefined) this.#messages.messagesEnd()
    else this.messagesEnd()
  }

  /** The stream is gone, and with it whoever wanted the answer. */
  aborted(): void {
    if (this.isOver) return
    this.isOver = true
    // Of a short deadline half.
    const isLate = this.remainingMs() <= Math.min(DEADLINE_SLACK_MS, this.#head.timeoutMs / 2)
    this.#ended(isLate ? STATUS.deadlineExceeded : STATUS.cancelled)
    this.#abortWork(isLate ? 'deadline' : 'cancelled')
  }

  /** What was queued for the peer has left. */
  drained(): void {
    this.#messages?.onDrain()
  }

  take(message: Buffer): void {
    if (this.isOver) return
    if (this.#request !== undefined) this.#failByCount()
    this.#request = this.#stream.isRemoteEnded ? message : kept(message)
  }

  messagesEnd(): void {
    if (this.isOver) return
    if (this.#request === undefined) this.#failByCount()
    else this.#start()
  }

  heldBack(): number {
    return 0
  }

  write(message: Buffer, room?: AnswerRoom): boolean {
    this.#outgoing ??= new OutgoingMessages(this.#host, this.#stream, this)
    return this.#outgoing.write(message, room ?? this.#room)
  }

  releaseIncoming(): void {
    this.#incoming?.release()
  }

  giveBack(bytes: number): void {
    this.#host.connection.take(this.#stream, bytes)
    this.#host.flushSoon()
  }

  fail(status: CallStatus): void {
    if (this.isOver) return
    this.#finish(status)
    if (this.#isStarted) this.#abortWork('cancelled')
    else this.#host.connection.workEnded(this.#stream)
  }

  failBy(error: unknown): void {
    this.fail(this.#statusOf(error))
  }

  #failByCount(): void {
    this.fail({ code: STATUS.unimplemented, details: `${this.path} takes one message` })
  }

  #start(): void {
    const { sender } = this.#host.connection
    if (sender.isCrowded) {
      // A client that asks for more than it reads waits; nothing is made for it meanwhile.
      if (this.#request !== undefined) this.#request = kept(this.#request)
      this.#watchDeadline()
      sender.whenRoom(() => {
        if (!this.isOver) this.#start()
      })
      return
    }
    this.#isStarted = true
    this.releaseIncoming()
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
    this.#messages ??= new CallStream(this)
    await runStreaming(method, this.#request, this.#messages, this)
    await this.#outgoing?.allSent
    this.#finish(OK)
  }

  /** The work takes longer than this turn: its deadline needs a timer now. */
  #follow(work: Promise<void>): void {
    this.#watchDeadline()
    work.then(
      () => this.#workEnded(),
      (error: unknown) => {
        try {
          this.#finish(this.#statusOf(error))
        } finally {
          this.#workEnded()
        }
      },
    )
  }

  #workEnded(): void {
    this.#abort?.unwatch()
    this.#host.connection.workEnded(this.#stream)
    this.#host.flushSoon()
  }

  #watchDeadline(): void {
    const leftMs = this.remainingMs()
    const method = this.#method
    const leavesTime = method.kind === 'unary' && method.leavesTimeToAnswer === true
    this.#abort ??= new CallAbort(this.#host)
    this.#abort.watch(leftMs, leavesTime ? this.#host.answerMarginMs(Math.max(0, leftMs)) : 0, () => this.#expire())
  }

  #reply(message: Buffer): void | Promise<void> {
    if (this.isOver) return
    const isPlain =
      this.answerMetadata.size === 0 && this.answerTrailers.size === 0 && this.answerEncoding === undefined
    if (!isPlain) {
      // What was written into its room would not stay there.
      this.write(Buffer.from(message))
      const allSent = this.#outgoing?.allSent
      if (allSent !== undefined) return allSent.then(() => this.#finish(OK))
      this.#finish(OK)
    } else {
      this.isOver = true
      const { connection } = this.#host
      const prefix = messagePrefix(message.length, false)
      connection.sender.reply(this.#stream, RESPONSE_HEAD, prefix, message, OK_TRAILERS, this.#room?.bufferOf(message))
      this.#ended(STATUS.ok)
    }
    this.#host.connection.workEnded(this.#stream)
  }

  #statusOf(error: unknown): CallStatus {
    return this.#host.statusOf(error, this.path, this.#abort?.reason)
  }

  #expire(): void {
    if (this.isOver) return
    this.#abortWork('deadline')
    this.failBy(this.#abort?.reason)
  }

  #abortWork(kind: AbortKind): void {
    this.#abort ??= new CallAbort(this.#host)
    this.#abort.abort(kind)
    if (!this.#isStarted) this.#host.connection.workEnded(this.#stream)
  }

  #finish(status: CallStatus): void {
    if (this.isOver) return
    this.isOver = true
    const { sender } = this.#host.connection
    if (this.#outgoing?.isHeadSent === true) {
      const isPlain = status.code === STATUS.ok && this.answerTrailers.size === 0
      sender.end(this.#stream, isPlain ? OK_TRAILERS : trailers(status, this.answerTrailers))
    } else {
      sender.headers(this.#stream, trailersOnly(status, merged(this.answerMetadata, this.answerTrailers)), true)
    }
    this.#ended(status.code)
    this.#host.flushSoon()
  }

  #ended(code: number): void {
    this.releaseIncoming()
    this.#request = undefined
    this.#messages?.drop()
    this.#host.onEnded(this.path, code, this.#host.nowMs() - this.#beganMs)
  }
}

function merged(first: Metadata, second: Metadata): Metadata {
  return second.size === 0 ? first : new Map([...first, ...second])
}
