/**
 * The request of a call: DATA to messages, decompressed, in their order.
 *
 * Bounded for all calls of a connection together, and for all calls of the server: what has come of requests that no method has yet. Those that
 * are whole before anything else comes, as most are, the server's budget does not get to see.
 */
import type { Http2Stream } from '../http2/stream.ts'
import type { CallHost } from './call-host.ts'
import { decompressed, isCompression, MessageTooLarge } from './compression.ts'
import type { ComingRequest } from './incoming-budget.ts'
import { MessageReader, type MessageSink } from './message-reader.ts'
import { type CallStatus, STATUS } from './status.ts'

/** Whom the messages are for. */
export interface MessageTaker {
  take(message: Buffer): void
  /** No message follows. */
  messagesEnd(): void
  /** Of so many bytes that have just come, how many the peer shall not send anew before the taker is done with them. */
  heldBack(bytes: number): number
}

/** The call they belong to. */
export interface IncomingCall {
  /** Nothing that comes is wanted any more. */
  readonly isOver: boolean
  /** What its headers take. */
  readonly headBytes: number
  /** What grpc-encoding says. */
  readonly encoding: string
  /** Of the request's last message. */
  lastMessageWasCompressed: boolean
  /** Ends the call for a fault that no method has to do with. */
  fail(status: CallStatus): void
}

export class IncomingMessages implements MessageSink, ComingRequest {
  older: ComingRequest | undefined = undefined
  younger: ComingRequest | undefined = undefined
  readonly #host: CallHost
  readonly #stream: Http2Stream
  readonly #call: IncomingCall
  readonly #taker: MessageTaker
  readonly #reader: MessageReader
  /** What has come, and was not released. */
  #bytes = 0
  /** No method has the request yet; and the budget of the server counts it. */
  #isWaiting = false
  #isCounted = false
  /** The end of what is being decompressed, and of what follows it; undefined as long as nothing had to be. */
  #order: Promise<void> | undefined
  #afterwards = 0
  /** Bytes that the peer may send anew when nothing is being decompressed. */
  #keptBytes = 0

  constructor(host: CallHost, stream: Http2Stream, call: IncomingCall, taker: MessageTaker) {
    this.#host = host
    this.#stream = stream
    this.#call = call
    this.#taker = taker
    this.#reader = new MessageReader(host.messageBytesMax)
  }

  /** No method has the request yet. */
  wait(): void {
    this.#isWaiting = true
    this.#host.waits(this)
  }

  /** If the request still waits, the budget has to know. */
  count(): void {
    if (!this.#isWaiting || this.#isCounted) return
    this.#isCounted = true
    this.#host.incoming.enter(this, this.#call.headBytes + this.#bytes)
  }

  receive(bytes: Buffer, from: number, to: number): void {
    const count = to - from
    this.#add(count)
    if (!this.#call.isOver) this.#reader.receive(bytes, from, to, this)
    if (this.#afterwards > 0) this.#keptBytes += count
    else this.#host.connection.take(this.#stream, count - this.#taker.heldBack(count))
  }

  giveUp(problem: string): void {
    this.#call.fail({ code: STATUS.resourceExhausted, details: problem })
  }

  message(bytes: Buffer, isCompressed: boolean): void {
    this.#call.lastMessageWasCompressed = isCompressed
    if (isCompressed) this.#decompress(bytes)
    else if (this.#order === undefined) this.#taker.take(bytes)
    else this.#inOrder(() => this.#taker.take(bytes))
  }

  tooLarge(bytes: number | undefined): void {
    const size = bytes === undefined ? 'after decompression ' : `(${bytes} bytes) `
    const details = `a message ${size}is larger than ${this.#host.messageBytesMax} bytes, option grpc-message-bytes-max`
    this.#call.fail({ code: STATUS.resourceExhausted, details })
  }

  end(): void {
    if (this.#order === undefined) this.#end()
    else this.#inOrder(() => this.#end())
  }

  /** What has come is the method's now, or nobody's. */
  release(): void {
    if (!this.#isWaiting) return
    this.#isWaiting = false
    if (this.#isCounted) this.#host.incoming.leave(this, this.#call.headBytes + this.#bytes)
    this.#isCounted = false
    this.#host.incomingBytes -= this.#bytes
    this.#bytes = 0
  }

  #add(bytes: number): void {
    const host = this.#host
    if (!this.#isWaiting) this.wait()
    this.#bytes += bytes
    host.incomingBytes += bytes
    if (this.#isCounted) host.incoming.goOn(this, bytes)
    if (host.incomingBytes <= host.incomingBytesMax) return
    const details = `requests of more than ${host.incomingBytesMax} bytes are under way on this connection (grpc-incoming-bytes-max)`
    this.#call.fail({ code: STATUS.resourceExhausted, details })
  }

  #end(): void {
    if (this.#reader.isWithinMessage) {
      this.#call.fail({ code: STATUS.internal, details: 'the request ends within a message' })
    } else this.#taker.messagesEnd()
  }

  #decompress(bytes: Buffer): void {
    const { encoding } = this.#call
    if (!isCompression(encoding)) {
      this.#call.fail({ code: STATUS.internal, details: 'a message is compressed, but grpc-encoding does not say how' })
      return
    }
    this.#inOrder(async () => {
      try {
        const message = await this.#host.inTurn(async () =>
          this.#call.isOver ? undefined : decompressed(bytes, encoding, this.#host.messageBytesMax),
        )
        if (message === undefined || this.#call.isOver) return
        // What came was small, and is not any more.
        this.#add(message.length)
        this.count()
        this.#taker.take(message)
      } catch (error) {
        if (error instanceof MessageTooLarge) this.tooLarge(undefined)
        else this.#call.fail({ code: STATUS.internal, details: `a message is not valid ${encoding}` })
      }
    })
  }

  /** After what is being decompressed. What comes meanwhile the peer does not get to send anew. */
  #inOrder(then: () => void | Promise<void>): void {
    this.#afterwards++
    const before = this.#order ?? Promise.resolve()
    this.#order = before.then(then).finally(() => {
      this.#afterwards--
      if (this.#afterwards > 0 || this.#keptBytes === 0) return
      this.#host.connection.take(this.#stream, this.#keptBytes)
      this.#keptBytes = 0
      this.#host.flushSoon()
    })
  }
}
