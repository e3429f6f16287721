/**
 * `StreamFeatures`: many requests are answered at once, and the answers leave in the order of the requests.
 *
 * At most `window` requests (option `stream-window`) are under way or wait for an earlier one; then, and while the client
 * does not read, no further request is taken from the call, which HTTP/2 flow control passes on to the sender.
 */
import type { handleBidiStreamingCall } from '@grpc/grpc-js'
import type { Caller, ServingService } from '../../serving/serving-service.ts'
import type { AnswerBuffers } from './answer-buffers.ts'
import { type Answered, AnswerRoom } from './framed-answer.ts'
import { type ByteStream, type MethodContext, runStream } from './methods.ts'

/** One request's place in the order. */
interface Slot {
  answer?: Answered
  error?: unknown
  settled: boolean
}

export function featureStreamMethod(
  serving: ServingService,
  window: number,
  context: MethodContext,
): handleBidiStreamingCall<Buffer, Answered> {
  return (call) => {
    void runStream(call, context, (signal) => answerInOrder(call, serving, window, context.buffers, signal))
  }
}

/** Resolves when every request is answered; rejects with the first failure in request order. */
function answerInOrder(
  call: ByteStream,
  serving: ServingService,
  window: number,
  buffers: AnswerBuffers,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const slots: Slot[] = []
    let requestsEnded = false
    let readerReady = true

    const advance = (): void => {
      while (readerReady && slots[0]?.settled) {
        const slot = slots.shift()!
        if (slot.answer === undefined) {
          call.pause()
          reject(slot.error)
          return
        }
        readerReady = call.write(slot.answer)
      }
      if (requestsEnded && slots.length === 0) resolve()
      else if (readerReady && slots.length < window) call.resume()
      else call.pause()
    }

    call.on('data', (request: Buffer) => {
      const slot: Slot = { settled: false }
      slots.push(slot)
      begin(serving, request, new StreamCaller(signal, buffers), slot, advance)
      advance()
    })
    call.on('drain', () => {
      readerReady = true
      advance()
    })
    call.on('end', () => {
      requestsEnded = true
      advance()
    })
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/** One request of a stream: it is no longer wanted when the stream is not. */
class StreamCaller implements Caller {
  readonly signal: AbortSignal
  readonly #room: AnswerRoom

  constructor(signal: AbortSignal, buffers: AnswerBuffers) {
    this.signal = signal
    this.#room = new AnswerRoom(buffers)
  }

  roomFor(bytes: number): Buffer {
    return this.#room.roomFor(bytes)
  }

  framed(answer: Buffer): Answered {
    return this.#room.framed(answer)
  }
}

/** Fills the slot, in this tick if the answer is there; calls `settled` if it comes later. */
function begin(serving: ServingService, request: Buffer, caller: StreamCaller, slot: Slot, settled: () => void): void {
  const fill = (answer: Buffer): void => {
    slot.answer = caller.framed(answer)
    slot.settled = true
  }
  const fail = (error: unknown): void => {
    slot.error = error
    slot.settled = true
  }
  try {
    const answer = serving.getFeatures(request, caller)
    if (Buffer.isBuffer(answer)) fill(answer)
    else answer.then(fill, fail).then(settled)
  } catch (error) {
    fail(error)
  }
}
