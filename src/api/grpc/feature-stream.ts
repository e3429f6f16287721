/**
 * `StreamFeatures`: many requests are answered at once, and the answers leave in the order of the requests.
 *
 * At most `window` requests (option `stream-window`) are under way or wait for an earlier one; then, and while the client
 * does not read, no further request is taken from the call, which HTTP/2 flow control passes on to the sender.
 */
import type { AnswerRoom, MessageStream } from '../../grpc/method.ts'
import type { Caller, ServingService } from '../../serving/serving-service.ts'

/** One request's place in the order. */
interface Slot {
  readonly room: AnswerRoom
  answer?: Buffer
  error?: unknown
  settled: boolean
}

/** Resolves when every request is answered; rejects with the first failure in request order, or the signal's reason. */
export function answerInOrder(
  stream: MessageStream,
  serving: ServingService,
  window: number,
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
          stream.pause()
          reject(slot.error)
          return
        }
        readerReady = stream.write(slot.answer, slot.room)
      }
      if (requestsEnded && slots.length === 0) resolve()
      else if (readerReady && slots.length < window) stream.resume()
      else stream.pause()
    }

    stream.onMessage = (request) => {
      const slot: Slot = { room: stream.answerRoom(), settled: false }
      slots.push(slot)
      begin(serving, request, new StreamCaller(signal, slot.room), slot, advance)
      advance()
    }
    stream.onDrain = () => {
      readerReady = true
      advance()
    }
    stream.onEnd = () => {
      requestsEnded = true
      advance()
    }
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    stream.resume()
  })
}

/** One request of a stream: it is no longer wanted when the stream is not. */
class StreamCaller implements Caller {
  readonly signal: AbortSignal
  readonly #room: AnswerRoom

  constructor(signal: AbortSignal, room: AnswerRoom) {
    this.signal = signal
    this.#room = room
  }

  roomFor(bytes: number): Buffer {
    return this.#room.roomFor(bytes)
  }
}

/** Fills the slot, in this tick if the answer is there; calls `settled` if it comes later. */
function begin(serving: ServingService, request: Buffer, caller: Caller, slot: Slot, settled: () => void): void {
  const fill = (answer: Buffer): void => {
    slot.answer = answer
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
