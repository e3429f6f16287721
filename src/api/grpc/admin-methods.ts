/** The `Admin` service: converts messages, nothing else. */
import type { UntypedServiceImplementation } from '@grpc/grpc-js'
import type { AdminHandlers, SyncEvent } from '../admin-handlers.ts'
import { type MethodContext, serverStreamMethod, unaryMethod } from './methods.ts'
import { messageCodec } from './protocol.ts'

const describeRequest = messageCodec('DescribeRequest')
const describeResponse = messageCodec('DescribeResponse')
const syncRequest = messageCodec<{ readonly views: readonly string[] }>('SyncRequest')
const syncResponse = messageCodec('SyncResponse')
const statusRequest = messageCodec('StatusRequest')
const statusResponse = messageCodec('StatusResponse')

export function adminMethods(handlers: AdminHandlers, context: MethodContext): UntypedServiceImplementation {
  return {
    Describe: unaryMethod((request) => {
      describeRequest.decode(request)
      return describeResponse.encode(handlers.describe())
    }, context),
    Sync: serverStreamMethod(
      (request, signal) => encoded(handlers.sync(syncRequest.decode(request).views, { signal })),
      context,
    ),
    Status: unaryMethod(async (request) => {
      statusRequest.decode(request)
      const status = await handlers.status()
      const tables = status.tables.map((table) => ({ ...table, version: table.tableVersion }))
      return statusResponse.encode({ ...status, tables })
    }, context),
  }
}

async function* encoded(events: AsyncIterable<SyncEvent>): AsyncGenerator<Buffer> {
  for await (const event of events) {
    yield syncResponse.encode(
      event.kind === 'progress'
        ? { progress: { view: event.view, progress: event.progress } }
        : { result: event.result },
    )
  }
}
