/** What a handler is called with besides its request. */
export interface CallContext {
  /** Aborts with a `TwinstoreError` when the caller no longer wants the answer. */
  readonly signal: AbortSignal
}
