/** What one request may ask for; each is named in the error that enforces it. */
export interface ServingLimits {
  /** Entity rows of a request (option `entities-max`). Assembly runs on the event loop, so this bounds how long it holds it. */
  readonly entitiesMax: number
  /** Columns of an answer (option `features-max`). */
  readonly featuresMax: number
  /** Bytes of one entity's encoded key (option `entity-key-bytes-max`); none longer can have been written. */
  readonly entityKeyBytesMax: number
  /** Bytes of a request (option `request-bytes-max`). */
  readonly requestBytesMax: number
  /** Bytes of an answer (option `response-bytes-max`). */
  readonly responseBytesMax: number
}
