/** The `Offline` service: converts messages, nothing else. */
import type { UntypedServiceImplementation } from '@grpc/grpc-js'
import type { DatasetPart } from '../dataset-stream.ts'
import type { OfflineHandlers } from '../offline-handlers.ts'
import { bidiMethod, type MethodContext, serverStreamMethod, unaryMethod } from './methods.ts'
import { decodeExport, decodeHistory, decodeTrainingSetPart, encodeHistory, encodePart } from './offline-messages.ts'

export function offlineMethods(handlers: OfflineHandlers, context: MethodContext): UntypedServiceImplementation {
  return {
    ExportFeatures: serverStreamMethod(
      (request, signal) => encoded(handlers.exportFeatures(decodeExport(request), { signal })),
      context,
    ),
    GetTrainingSet: bidiMethod(
      (requests, signal) => encoded(handlers.getTrainingSet(mapped(requests, decodeTrainingSetPart), { signal })),
      context,
    ),
    GetHistory: unaryMethod(
      async (request, scope) => encodeHistory(await handlers.getHistory(decodeHistory(request), scope)),
      context,
    ),
  }
}

function encoded(parts: AsyncIterable<DatasetPart>): AsyncIterable<Buffer> {
  return mapped(parts, encodePart)
}

async function* mapped<A, B>(items: AsyncIterable<A>, map: (item: A) => B): AsyncGenerator<B> {
  for await (const item of items) yield map(item)
}
