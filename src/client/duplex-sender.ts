/** Sends messages on a call at the pace the server takes them. */
import { once } from 'node:events'
import type { DuplexCall } from './transport.ts'

/**
 * Sends all messages and half-closes. Resolves also when the call ends before: its reader learns why. A failure of
 * `messages` itself cancels the call and rejects.
 */
export async function sendAll(call: DuplexCall, messages: AsyncIterable<Buffer>): Promise<void> {
  const ended = new AbortController()
  call.once('status', () => ended.abort())
  try {
    for await (const message of messages) {
      if (ended.signal.aborted) return
      if (!call.write(message)) await once(call, 'drain', { signal: ended.signal })
    }
    call.end()
  } catch (error) {
    if (ended.signal.aborted) return
    call.cancel()
    throw error
  }
}
