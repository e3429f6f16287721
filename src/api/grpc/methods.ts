/**
 * Handlers as grpc-js methods: scopes opened and closed, errors mapped, answers written at the reader's pace.
 *
 * A stream holds at most the 16 messages of Node's object-mode buffer (4 MB of export chunks at the default `chunk-bytes`)
 * plus one HTTP/2 window per call; past that the handler is not asked for more.
 */
import { once } from 'node:events'
import {
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type ServerDuplexStream,
  type ServerWritableStream,
  status,
} from '@grpc/grpc-js'
import type { TwinstoreError } from '../../domain/errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { deadlineExceeded } from '../deadline.ts'
import type { AnswerBuffers } from './answer-buffers.ts'
import { type CallScope, openStreamScope, remainingMs, UnaryScope } from './call-scope.ts'
import type { Answered } from './framed-answer.ts'
import { type CallStatus, callStatus, isOperatingFault, requestError } from './status.ts'

export interface MethodContext {
  readonly clock: Clock
  readonly buffers: AnswerBuffers
  /** Told of faults that operators should see, with the method's path. Causes go here and nowhere else. */
  readonly onError: (error: TwinstoreError, method: string) => void
  /** Told of every call that ended: its method's path, the gRPC status code, and how long it took. */
  readonly onEnded: (method: string, code: number, durationMs: number) => void
}

export type ByteStream = ServerDuplexStream<Buffer, Answered>

export interface UnaryOptions {
  /** The client has to hear how far the work was when its deadline passed; see `UnaryScope`. */
  readonly leavesTimeToAnswer?: boolean
}

/** A handler that answers synchronously is replied to in the same tick, without a promise. */
export function unaryMethod(
  handle: (request: Buffer, scope: UnaryScope) => Buffer | Promise<Buffer>,
  context: MethodContext,
  { leavesTimeToAnswer = false }: UnaryOptions = {},
): handleUnaryCall<Buffer, Answered> {
  return (call, reply) => {
    const beganMs = context.clock.monotonicMs()
    const ended = (code: status) => context.onEnded(call.getPath(), code, context.clock.monotonicMs() - beganMs)
    if (remainingMs(call, context.clock) <= 0) {
      reply(callStatus(deadlineExceeded()))
      ended(status.DEADLINE_EXCEEDED)
      return
    }
    const scope = new UnaryScope(call, context.clock, context.buffers, leavesTimeToAnswer)
    const fail = (error: unknown): void => {
      scope.close()
      const answer = failure(error, scope, call.getPath(), context)
      reply(answer)
      ended(answer.code)
    }
    const succeed = (answer: Buffer): void => {
      scope.close()
      reply(null, scope.framed(answer))
      ended(status.OK)
    }
    try {
      const answer = handle(call.request, scope)
      if (Buffer.isBuffer(answer)) succeed(answer)
      else answer.then(succeed, fail)
    } catch (error) {
      fail(error)
    }
  }
}

export function serverStreamMethod(
  handle: (request: Buffer, signal: AbortSignal) => AsyncIterable<Buffer>,
  context: MethodContext,
): handleServerStreamingCall<Buffer, Buffer> {
  return (call) => {
    void runStream(call, context, (signal) => writeAll(call, handle(call.request, signal), signal))
  }
}

export function bidiMethod(
  handle: (requests: AsyncIterable<Buffer>, signal: AbortSignal) => AsyncIterable<Buffer>,
  context: MethodContext,
): handleBidiStreamingCall<Buffer, Buffer> {
  return (call) => {
    // Leaving the iteration must not destroy the call: its status has not been sent then.
    const requests: AsyncIterable<Buffer> = { [Symbol.asyncIterator]: () => call.iterator({ destroyOnReturn: false }) }
    void runStream(call, context, (signal) => writeAll(call, handle(requests, signal), signal))
  }
}

/** Runs `work` and ends the call with its outcome. Never rejects. */
export async function runStream(
  call: ByteStream | ServerWritableStream<Buffer, Buffer>,
  context: MethodContext,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const beganMs = context.clock.monotonicMs()
  const scope = openStreamScope(call, context.clock)
  let code = status.OK
  try {
    await work(scope.signal)
    scope.close()
    call.end()
  } catch (error) {
    scope.close()
    const answer = failure(error, scope, call.getPath(), context)
    code = answer.code
    // grpc-js takes the status of a failed stream as an `error` event and sends it after what was written.
    if (!call.destroyed) call.emit('error', answer)
  }
  context.onEnded(call.getPath(), code, context.clock.monotonicMs() - beganMs)
}

async function writeAll(
  call: ByteStream | ServerWritableStream<Buffer, Buffer>,
  messages: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<void> {
  for await (const message of messages) {
    signal.throwIfAborted()
    if (!call.write(message)) await once(call, 'drain', { signal })
  }
}

/** Whatever fails after the scope was aborted fails because of it; a failure that says so itself may say more. */
function failure(error: unknown, scope: CallScope, method: string, context: MethodContext): CallStatus {
  const own = requestError(error)
  const { abortReason } = scope
  const reason = abortReason === undefined ? own : requestError(abortReason)
  const cause = own.code === reason.code ? own : reason
  if (isOperatingFault(cause)) context.onError(cause, method)
  return callStatus(cause)
}
