/** The `Serving` service: bytes go to the service layer as they came. */
import type { ServiceMethods } from '../../grpc/method.ts'
import type { ServingService } from '../../serving/serving-service.ts'
import type { WriteService } from '../../writing/write-service.ts'
import { answerInOrder } from './feature-stream.ts'

export function servingMethods(serving: ServingService, writes: WriteService, streamWindow: number): ServiceMethods {
  return {
    GetFeatures: { kind: 'unary', handle: (request, call) => serving.getFeatures(request, call) },
    StreamFeatures: {
      kind: 'push',
      handle: (stream, { signal }) => answerInOrder(stream, serving, streamWindow, signal),
    },
    WriteFeatures: {
      kind: 'unary',
      handle: (request, call) => writes.writeFeatures(request, call.signal),
      leavesTimeToAnswer: true,
    },
    IngestFeatures: { kind: 'bidi', handle: (requests, { signal }) => ingest(writes, requests, signal) },
  }
}

/** One batch after the other, so that rows of one entity keep their order and acknowledgements theirs. */
async function* ingest(
  writes: WriteService,
  requests: AsyncIterable<Buffer>,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  for await (const request of requests) yield await writes.writeFeatures(request, signal)
}
