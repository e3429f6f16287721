/** The `Offline` service: converts messages, nothing else. */
import type { MethodCall, ServiceMethods } from '../../grpc/method.ts'
import type { CallContext } from '../call-context.ts'
import type { DatasetPart } from '../dataset-stream.ts'
import type { OfflineHandlers } from '../offline-handlers.ts'
import { ContentMessages } from './content-messages.ts'
import { decodeExport, decodeHistory, decodeTrainingSetPart, encodeHistory, encodePart } from './offline-messages.ts'

export function offlineMethods(handlers: OfflineHandlers): ServiceMethods {
  return {
    ExportFeatures: {
      kind: 'serverStream',
      handle: (request, call) =>
        datasetMessages(call, (context) => handlers.exportFeatures(decodeExport(request), context)),
    },
    GetTrainingSet: {
      kind: 'bidi',
      handle: (requests, call) =>
        datasetMessages(call, (context) => handlers.getTrainingSet(mapped(requests, decodeTrainingSetPart), context)),
    },
    GetHistory: {
      kind: 'unary',
      handle: async (request, call) => encodeHistory(await handlers.getHistory(decodeHistory(request), call)),
    },
  }
}

function datasetMessages(
  call: MethodCall,
  open: (context: CallContext) => AsyncIterable<DatasetPart>,
): AsyncIterable<Buffer> {
  const content = new ContentMessages(call)
  const parts = open({ signal: call.signal, contentRoom: (bytes) => content.roomFor(bytes) })
  return mapped(parts, (part) => encodePart(part, content))
}

async function* mapped<A, B>(items: AsyncIterable<A>, map: (item: A) => B): AsyncGenerator<B> {
  for await (const item of items) yield map(item)
}
