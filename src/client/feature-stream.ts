/**
 * StreamFeatures: many requests on one call, answered in their order. For a caller who asks again and again it is the cheapest way: what a
 * call costs besides its answer is paid once.
 */
import { TwinstoreError } from '../domain/errors.ts'
import { sendAll } from './duplex-sender.ts'
import type { EncodedRequest, FeatureReader, FeatureRequest, FeatureTensor, FeatureVectors } from './features.ts'
import { methodPath } from './protocol.ts'
import type { CallOptions, Transport } from './transport.ts'

/**
 * An answer per request. Requests are taken as fast as the server takes them, and answers are held back by a reader who is slow.
 * The first failure, of a request or of the server, ends the stream; the answers before it have been given.
 */
export async function* streamFeatures(
  transport: Transport,
  reader: FeatureReader,
  requests: AsyncIterable<FeatureRequest> | Iterable<FeatureRequest>,
  options: CallOptions = {},
): AsyncGenerator<FeatureVectors | FeatureTensor, void, undefined> {
  const call = transport.duplex(methodPath('Serving', 'StreamFeatures'), options)
  const asked: EncodedRequest[] = []
  async function* messages(): AsyncGenerator<Buffer> {
    for await (const request of requests) {
      const encoded = await reader.encode(request)
      asked.push(encoded)
      yield encoded.bytes
    }
  }
  let failure: unknown
  // It is not waited for: requests that never end must not keep the caller from hearing how the call ended.
  sendAll(call, messages()).catch((error: unknown) => {
    failure = error
  })
  try {
    for await (const answer of call) yield reader.read(asked.shift()!, answer as Buffer)
  } catch (error) {
    // A failure of the requests themselves cancels the call, and is what the caller must hear of, not the cancellation.
    if (failure !== undefined) throw failure
    throw error instanceof TwinstoreError ? error : transport.error(error)
  } finally {
    call.cancel()
  }
}
