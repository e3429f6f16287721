/** The read path as edges see it: request bytes in, response bytes out, no transport. */
export interface ServingService {
  /**
   * `GetFeaturesRequest` to `GetFeaturesResponse`, both serialized. A buffer, not a promise, when the cache alone
   * answers. Throws or rejects with a `TwinstoreError`.
   */
  getFeatures(request: Buffer, caller?: Caller): Buffer | Promise<Buffer>
}

/** Whoever asks. An `AbortController` is one. */
export interface Caller {
  /** Aborts when the answer is no longer wanted. Only what has to wait asks for it, so that it may be made on demand. */
  readonly signal: AbortSignal
  /**
   * Calls `listener` with the signal's reason when the answer is no longer wanted, at once if it is not wanted now. Whoever offers this spares
   * what waits the signal, whose making and listening is a tenth of what a missed row costs.
   */
  whenAborted?(listener: (reason: unknown) => void): void
  /**
   * The buffer of so many bytes that the answer is written into, which may be what the answer is sent from; the answer is
   * all of it or a part. Without it an answer gets a buffer of its own.
   */
  roomFor?(bytes: number): Buffer
}
