/** What one write may hold; each limit is the setting named in its comment, and every refusal names it. */
export interface WriteLimits {
  /** `write-rows-max`: rows of one request. */
  readonly rowsMax: number
  /** `value-bytes-max`: bytes of one serialized value. */
  readonly valueBytesMax: number
  /** `row-bytes-max`: bytes of one encoded row. */
  readonly rowBytesMax: number
  /** `entity-key-bytes-max`: bytes of one encoded entity key; online stores bound their keys. */
  readonly entityKeyBytesMax: number
  /** `event-time-ahead-max`: how far an event timestamp may be ahead of the server's clock, milliseconds. */
  readonly eventAheadMsMax: number
  /** `write-turn-max`: how long checking and encoding go on before other requests get their turn, milliseconds. */
  readonly turnMsMax: number
}
