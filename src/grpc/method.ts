/** What a service offers to a transport: methods by path, in bytes. */
import type { Metadata } from './metadata.ts'

/** What a method may know of its call, and say beside its messages. */
export interface CallContext {
  /** `/package.Service/Method`. */
  readonly path: string
  readonly metadata: Metadata
  /** Milliseconds until the deadline; infinite without one. */
  remainingMs(): number
  /** Aborts when the client cancels or disconnects and when the deadline passes, with the reason. Made when it is asked for. */
  readonly signal: AbortSignal
  /**
   * A buffer of so many bytes for the answer of a unary method, which may be all of it or a part: what is written there is not copied
   * if `handle` returns it at once.
   */
  roomFor(bytes: number): Buffer
  /** Metadata before the first message and with the status. */
  answerMetadata: Metadata
  answerTrailers: Metadata
  /** Of the request's last message. */
  readonly lastMessageWasCompressed: boolean
  /** Messages from now on are compressed if the client says that it can read that. */
  compressesAnswers: boolean
}

/** The messages of a call as they come and go, for a method that cannot wait for promises. */
export interface MessageStream {
  /** Called for each message while not paused; a stream begins paused. */
  onMessage: (message: Buffer) => void
  /** No message follows. */
  onEnd: () => void
  /** The reader is ready for more, after `write` has said that it was not. */
  onDrain: () => void
  pause(): void
  resume(): void
  /** False if the reader is behind: then wait for `onDrain`. */
  write(message: Buffer): boolean
}

export type Method =
  | { readonly kind: 'unary'; readonly handle: (request: Buffer, call: CallContext) => Buffer | Promise<Buffer> }
  | {
      readonly kind: 'serverStream'
      readonly handle: (request: Buffer, call: CallContext) => AsyncIterable<Buffer>
    }
  | {
      readonly kind: 'clientStream'
      readonly handle: (requests: AsyncIterable<Buffer>, call: CallContext) => Promise<Buffer>
    }
  | {
      readonly kind: 'bidi'
      readonly handle: (requests: AsyncIterable<Buffer>, call: CallContext) => AsyncIterable<Buffer>
    }
  | { readonly kind: 'push'; readonly handle: (stream: MessageStream, call: CallContext) => Promise<void> }
