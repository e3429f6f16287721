/** The `Serving` service: bytes go to the service layer as they came. */
import type { UntypedServiceImplementation } from '@grpc/grpc-js'
import type { ServingService } from '../../serving/serving-service.ts'
import type { WriteService } from '../../writing/write-service.ts'
import { featureStreamMethod } from './feature-stream.ts'
import { bidiMethod, type MethodContext, unaryMethod } from './methods.ts'

export function servingMethods(
  serving: ServingService,
  writes: WriteService,
  streamWindow: number,
  context: MethodContext,
): UntypedServiceImplementation {
  return {
    GetFeatures: unaryMethod((request, scope) => serving.getFeatures(request, scope), context),
    StreamFeatures: featureStreamMethod(serving, streamWindow, context),
    WriteFeatures: unaryMethod((request, scope) => writes.writeFeatures(request, scope.signal), context, {
      leavesTimeToAnswer: true,
    }),
    IngestFeatures: bidiMethod((requests, signal) => ingest(writes, requests, signal), context),
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
