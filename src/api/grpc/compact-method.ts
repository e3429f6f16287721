/** `Admin.Compact`: converts messages, nothing else. */
import type { UntypedServiceImplementation } from '@grpc/grpc-js'
import type { AdminHandlers } from '../admin-handlers.ts'
import type { CompactEvent, CompactRequest } from '../compact-handler.ts'
import { type MethodContext, serverStreamMethod } from './methods.ts'
import { messageCodec } from './protocol.ts'

const compactRequest = messageCodec<CompactRequest>('CompactRequest')
const compactResponse = messageCodec('CompactResponse')

export function compactMethod(
  handlers: Pick<AdminHandlers, 'compact'>,
  context: MethodContext,
): UntypedServiceImplementation {
  return {
    Compact: serverStreamMethod(
      (request, signal) => encoded(handlers.compact(compactRequest.decode(request), { signal })),
      context,
    ),
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
