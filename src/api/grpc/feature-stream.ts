/**
 * `StreamFeatures`: many requests are answered at once, and the answers leave in the order of the requests.
 *
 * At most `window` requests (option `stream-window`) are under way or wait for an earlier one; then, and while the client
 * does not read, no further request is taken from the call, which HTTP/2 flow control passes on to the sender.
 */
import type { handleBidiStreamingCall } from '@grpc/grpc-js'
import type { ServingService } from '../../serving/serving-service.ts'
import { type ByteStream, type MethodContext, runStream } from './methods.ts'

/** One request's place in the order. */
interface Slot {
  answer?: Buffer
  error?: unknown
  settled: boolean
}

export function featureStreamMethod(
  serving: ServingService,
  window: number,
  context: MethodContext,
): handleBidiStreamingCall<Buffer, Buffer> {
  return (call) => {
    void runStream(call, context, (signal) => answerInOrder(call, serving, window, signal))
  }
}

/** Resolves when every request is answered; rejects with the first failure in request order. */
function answerInOrder(call: ByteStream, serving: ServingService, window: number, signal: AbortSignal): Promise<void> {
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
      begin(serving, request, signal, slot, advance)
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

/** Fills the slot, in this tick if the answer is there; calls `settled` if it comes later. */
function begin(serving: ServingService, request: Buffer, signal: AbortSignal, slot: Slot, settled: () => void): void {
  const fill = (answer: Buffer): void => {
    slot.answer = answer
    slot.settled = true
  }
  const fail = (error: unknown): void => {
    slot.error = error
    slot.settled = true
  }
  try {
    const answer = serving.getFeatures(request, signal)
    if (Buffer.isBuffer(answer)) fill(answer)
    else answer.then(fill, fail).then(settled)
  } catch (error) {
    fail(error)
  }
}
