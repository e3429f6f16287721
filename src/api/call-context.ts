/** What a handler is called with besides its request. */
export interface CallContext {
  /** Aborts with a `TwinstoreError` when the caller no longer wants the answer. */
  readonly signal: AbortSignal
  /**
   * Where the next piece of a data set is to be read into; absent: anywhere. The buffer has so many bytes, is asked for when the piece before
   * it was taken, and must be filled.
   */
  readonly contentRoom?: (bytes: number) => Buffer
}
