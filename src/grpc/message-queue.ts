/** Messages of a call as an async iteration: taken from the stream one at a time, so that the sender waits for the reader. */
import type { MessageStream } from './method.ts'

export async function* messagesOf(stream: MessageStream, signal: AbortSignal): AsyncGenerator<Buffer> {
  const waiting: Buffer[] = []
  let isEnded = false
  let wake: (() => void) | undefined
  const awake = (): void => {
    wake?.()
    wake = undefined
  }
  stream.onMessage = (message) => {
    waiting.push(message)
    stream.pause()
    awake()
  }
  stream.onEnd = () => {
    isEnded = true
    awake()
  }
  signal.addEventListener('abort', awake, { once: true })
  stream.resume()
  for (;;) {
    signal.throwIfAborted()
    const message = waiting.shift()
    if (message !== undefined) {
      stream.resume()
      yield message
    } else if (isEnded) return
    else {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
}

/** Writes at the reader's pace. Rejects with the signal's reason. */
export async function writeAll(
  stream: MessageStream,
  messages: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<void> {
  for await (const message of messages) {
    signal.throwIfAborted()
    if (!stream.write(message)) await drained(stream, signal)
  }
}

function drained(stream: MessageStream, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    stream.onDrain = () => {
      signal.removeEventListener('abort', abort)
      resolve()
    }
  })
}
