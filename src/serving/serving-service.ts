/** The read path as edges see it: request bytes in, response bytes out, no transport. */
export interface ServingService {
  /**
   * `GetFeaturesRequest` to `GetFeaturesResponse`, both serialized. A buffer, not a promise, when the cache alone
   * answers. Throws or rejects with a `TwinstoreError`.
   */
  getFeatures(request: Buffer, signal?: AbortSignal): Buffer | Promise<Buffer>
}
