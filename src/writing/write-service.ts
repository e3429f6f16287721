/** The write path as edges see it: request bytes in, response bytes out, no transport. */
export interface WriteService {
  /** `WriteFeaturesRequest` to `WriteFeaturesResponse`, both serialized. Rejects with a `TwinstoreError`. */
  writeFeatures(request: Buffer, signal?: AbortSignal): Promise<Buffer>
}
