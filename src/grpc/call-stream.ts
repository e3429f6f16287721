/**
 * The messages of a streaming call, as its method reads and writes them.
 *
 * A method that pauses makes the peer wait: messages that come meanwhile are held, and their bytes not given back to the peer's window
 * before they are handed on. So what is held is bounded by the window.
 */
import type { MessageTaker } from './incoming-messages.ts'
import { kept } from './message-reader.ts'
import type { AnswerRoom, MessageStream } from './method.ts'

/** The call whose messages they are. */
export interface StreamingCall {
  readonly isOver: boolean
  answerRoom(): AnswerRoom
  write(message: Buffer, room?: AnswerRoom): boolean
  /** What came so far is the method's. */
  releaseIncoming(): void
  /** The peer may send so many bytes anew. */
  giveBack(bytes: number): void
  /** The method threw while it took a message. */
  failBy(error: unknown): void
}

export class CallStream implements MessageStream, MessageTaker {
  onMessage: (message: Buffer) => void = ignore
  onEnd: () => void = ignore
  onDrain: () => void = ignore
  readonly #call: StreamingCall
  /** Messages that came while paused. */
  readonly #held: Buffer[] = []
  #heldBytes = 0
  #isPaused = true
  #isRequestEnded = false
  #isEndTold = false

  constructor(call: StreamingCall) {
    this.#call = call
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    while (this.#held.length > 0 && !this.#isPaused) this.#handOn(this.#held.shift()!)
    if (this.#held.length === 0 && this.#heldBytes > 0) {
      this.#call.giveBack(this.#heldBytes)
      this.#heldBytes = 0
    }
    this.#tellEnd()
  }

  answerRoom(): AnswerRoom {
    return this.#call.answerRoom()
  }

  write(message: Buffer, room?: AnswerRoom): boolean {
    return this.#call.write(message, room)
  }

  take(message: Buffer): void {
    if (this.#call.isOver) return
    if (this.#isPaused || this.#held.length > 0) this.#held.push(kept(message))
    else this.#handOn(message)
  }

  messagesEnd(): void {
    if (this.#call.isOver) return
    this.#isRequestEnded = true
    this.#tellEnd()
  }

  /** The rest of a message under way is bounded by itself. */
  heldBack(bytes: number): number {
    if (!this.#isPaused || this.#held.length === 0) return 0
    this.#heldBytes += bytes
    return bytes
  }

  /** Nobody wants what is held. */
  drop(): void {
    this.#held.length = 0
  }

  /** What a method does with a message must not get at the connection. */
  #handOn(message: Buffer): void {
    if (this.#held.length === 0) this.#call.releaseIncoming()
    try {
      this.onMessage(message)
    } catch (error) {
      this.#call.failBy(error)
    }
  }

  #tellEnd(): void {
    if (!this.#isRequestEnded || this.#held.length > 0 || this.#isEndTold) return
    this.#isEndTold = true
    try {
      this.onEnd()
    } catch (error) {
      this.#call.failBy(error)
    }
  }
}

function ignore(): void {}
