/** What a service offers to a transport: methods in bytes. */
import type { Metadata } from './metadata.ts'

/** Where one answer may be made. */
export interface AnswerRoom {
  /**
   * A buffer of so many bytes, which the answer may be all of or a part: written there it need not be copied to be sent. Asked for once
   * for an answer.
   */
  roomFor(bytes: number): Buffer
}

/** What every transport tells a method of its call. */
export interface MethodCall extends AnswerRoom {
  /** Aborts when the client cancels or disconnects and when the deadline passes, with the reason. Made when it is asked for. */
  readonly signal: AbortSignal
  /** Calls `listener` with the signal's reason when it aborts, at once if it has: without making a signal for it. */
  whenAborted?(listener: (reason: unknown) => void): void
}

/** What the lean transport tells beside that, and takes with the answer. */
export interface CallContext extends MethodCall {
  /** `/package.Service/Method`. */
  readonly path: string
  readonly metadata: Metadata
  /** Milliseconds until the deadline; infinite without one. */
  remainingMs(): number
  /** Of the request's last message. */
  readonly lastMessageWasCompressed: boolean
  /** Metadata before the first message and with the status. */
  answerMetadata: Metadata
  answerTrailers: Metadata
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
  /** For one answer, to be given to `write` with it. */
  answerRoom(): AnswerRoom
  /** False if the reader is behind: then wait for `onDrain`. */
  write(message: Buffer, room?: AnswerRoom): boolean
}

export interface UnaryMethod<Call> {
  readonly kind: 'unary'
  /** An answer that is no promise is replied with at once. */
  readonly handle: (request: Buffer, call: Call) => Buffer | Promise<Buffer>
  /** The client has to hear how far the work was when its deadline passes: the signal aborts a little before. */
  readonly leavesTimeToAnswer?: boolean
}

export type Method<Call = CallContext> =
  | UnaryMethod<Call>
  | { readonly kind: 'serverStream'; readonly handle: (request: Buffer, call: Call) => AsyncIterable<Buffer> }
  | { readonly kind: 'clientStream'; readonly handle: (requests: AsyncIterable<Buffer>, call: Call) => Promise<Buffer> }
  | { readonly kind: 'bidi'; readonly handle: (requests: AsyncIterable<Buffer>, call: Call) => AsyncIterable<Buffer> }
  | { readonly kind: 'push'; readonly handle: (stream: MessageStream, call: Call) => Promise<void> }

/** What any transport can carry, by the name of the method. */
export type ServiceMethods = Readonly<Record<string, Exclude<Method<MethodCall>, { kind: 'clientStream' }>>>
