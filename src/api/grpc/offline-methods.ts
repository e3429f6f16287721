/** The `Offline` service: converts messages, nothing else. */
import type { ServiceMethods } from '../../grpc/method.ts'
import type { DatasetPart } from '../dataset-stream.ts'
import type { OfflineHandlers } from '../offline-handlers.ts'
import { decodeExport, decodeHistory, decodeTrainingSetPart, encodeHistory, encodePart } from './offline-messages.ts'

export function offlineMethods(handlers: OfflineHandlers): ServiceMethods {
  return {
    ExportFeatures: {
      kind: 'serverStream',
      handle: (request, call) => encoded(handlers.exportFeatures(decodeExport(request), call)),
    },
    GetTrainingSet: {
      kind: 'bidi',
      handle: (requests, call) => encoded(handlers.getTrainingSet(mapped(requests, decodeTrainingSetPart), call)),
    },
    GetHistory: {
      kind: 'unary',
      handle: async (request, call) => encodeHistory(await handlers.getHistory(decodeHistory(request), call)),
    },
  }
}

function encoded(parts: AsyncIterable<DatasetPart>): AsyncIterable<Buffer> {
  return mapped(parts, encodePart)
}

async function* mapped<A, B>(items: AsyncIterable<A>, map: (item: A) => B): AsyncGenerator<B> {
  for await (const item of items) yield map(item)
}
