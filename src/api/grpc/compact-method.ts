/** `Admin.Compact`: converts messages, nothing else. */
import type { ServiceMethods } from '../../grpc/method.ts'
import type { AdminHandlers } from '../admin-handlers.ts'
import type { CompactEvent, CompactRequest } from '../compact-handler.ts'
import { messageCodec } from './protocol.ts'

const compactRequest = messageCodec<CompactRequest>('CompactRequest')
const compactResponse = messageCodec('CompactResponse')

export function compactMethod(handlers: Pick<AdminHandlers, 'compact'>): ServiceMethods {
  return {
    Compact: {
      kind: 'serverStream',
      handle: (request, call) => encoded(handlers.compact(compactRequest.decode(request), call)),
    },
  }
}

async function* encoded(events: AsyncIterable<CompactEvent>): AsyncGenerator<Buffer> {
  for await (const event of events) {
    yield compactResponse.encode(
      event.kind === 'progress'
        ? { progress: { view: event.view, progress: event.progress } }
        : { result: event.result },
    )
  }
}
