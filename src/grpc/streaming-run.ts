/** What a method that takes or gives streams of messages does with those of its call. */
import type { CallStream } from './call-stream.ts'
import { messagesOf, writeAll } from './message-queue.ts'
import type { CallContext, Method } from './method.ts'

/** Resolves when the method has ended and all it gave is written. `request` is there for a method that takes one message. */
export async function runStreaming(
  method: Exclude<Method, { kind: 'unary' }>,
  request: Buffer | undefined,
  messages: CallStream,
  call: CallContext,
): Promise<void> {
  switch (method.kind) {
    case 'serverStream':
      await writeAll(messages, method.handle(request!, call), call.signal)
      break
    case 'bidi':
      await writeAll(messages, method.handle(messagesOf(messages, call.signal), call), call.signal)
      break
    case 'clientStream':
      messages.write(await method.handle(messagesOf(messages, call.signal), call))
      break
    case 'push':
      await method.handle(messages, call)
  }
}
