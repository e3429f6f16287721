/**
 * Methods as grpc-js handlers: scopes opened and closed, errors mapped, answers written at the reader's pace.
 *
 * A stream holds at most the 16 messages of Node's object-mode buffer (4 MB of export chunks at the default `chunk-bytes`)
 * plus one HTTP/2 window per call; past that the handler is not asked for more.
 */
import { once } from 'node:events'
import {
  type handleUnaryCall,
  type ServerDuplexStream,
  type ServerWritableStream,
  status,
  type UntypedHandleCall,
} from '@grpc/grpc-js'
import type { AnswerRoom, MessageStream, MethodCall, ServiceMethods, UnaryMethod } from '../../grpc/method.ts'
import type { Clock } from '../../lib/clock.ts'
import { deadlineExceeded } from '../deadline.ts'
import { type CallReports, failureStatus } from './failure.ts'
import { FRESH_ROOM, openStreamScope, remainingMs, UnaryScope } from './grpc-js-scope.ts'
import { callStatus } from './status.ts'

export interface MethodContext extends CallReports {
  readonly clock: Clock
}

type ByteStream = ServerDuplexStream<Buffer, Buffer>

export function grpcJsHandler(method: ServiceMethods[string], context: MethodContext): UntypedHandleCall {
  switch (method.kind) {
    case 'unary':
      return unaryHandler(method, context)
    case 'serverStream':
      return (call: ServerWritableStream<Buffer, Buffer>) =>
        void runStream(call, context, (scope) => writeAll(call, method.handle(call.request, scope), scope.signal))
    case 'bidi':
      return (call: ByteStream) => {
        // Leaving the iteration must not destroy the call: its status has not been sent then.
        const requests: AsyncIterable<Buffer> = {
          [Symbol.asyncIterator]: () => call.iterator({ destroyOnReturn: false }),
        }
        void runStream(call, context, (scope) => writeAll(call, method.handle(requests, scope), scope.signal))
      }
    case 'push':
      return (call: ByteStream) => void runStream(call, context, (scope) => method.handle(new PushStream(call), scope))
  }
}

/** A handler that answers synchronously is replied to in the same tick, without a promise. */
function unaryHandler(
  { handle, leavesTimeToAnswer = false }: UnaryMethod<MethodCall>,
  context: MethodContext,
): handleUnaryCall<Buffer, Buffer> {
  return (call, reply) => {
    const beganMs = context.clock.monotonicMs()
    const ended = (code: status) => context.onEnded(call.getPath(), code, context.clock.monotonicMs() - beganMs)
    if (remainingMs(call, context.clock) <= 0) {
      reply(callStatus(deadlineExceeded()))
      ended(status.DEADLINE_EXCEEDED)
      return
    }
    const scope = new UnaryScope(call, context.clock, leavesTimeToAnswer)
    const fail = (error: unknown): void => {
      scope.close()
      const answer = callStatus(failureStatus(error, scope.abortReason, call.getPath(), context))
      reply(answer)
      ended(answer.code)
    }
    const succeed = (answer: Buffer): void => {
      scope.close()
      reply(null, answer)
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

/** A duplex call of grpc-js as the stream of a method. */
class PushStream implements MessageStream {
  onMessage: (message: Buffer) => void = () => undefined
  onEnd: () => void = () => undefined
  onDrain: () => void = () => undefined
  readonly #call: ByteStream

  constructor(call: ByteStream) {
    this.#call = call
    call.pause()
    call.on('data', (message: Buffer) => this.onMessage(message))
    call.on('drain', () => this.onDrain())
    call.on('end', () => this.onEnd())
  }

  pause(): void {
    this.#call.pause()
  }

  resume(): void {
    this.#call.resume()
  }

  answerRoom(): AnswerRoom {
    return FRESH_ROOM
  }

  write(message: Buffer): boolean {
    return this.#call.write(message)
  }
}

/** Runs `work` and ends the call with its outcome. Never rejects. */
async function runStream(
  call: ByteStream | ServerWritableStream<Buffer, Buffer>,
  context: MethodContext,
  work: (call: MethodCall) => Promise<void>,
): Promise<void> {
  const beganMs = context.clock.monotonicMs()
  const scope = openStreamScope(call, context.clock)
  let code = status.OK
  try {
    await work({ signal: scope.signal, roomFor: FRESH_ROOM.roomFor })
    scope.close()
    call.end()
  } catch (error) {
    scope.close()
    const answer = callStatus(failureStatus(error, scope.abortReason, call.getPath(), context))
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
