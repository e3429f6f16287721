/** The fields of one header block, in the order they came. */

/** What an entry of a header list counts beside its bytes (RFC 9113, section 6.5.2). */
export const FIELD_OVERHEAD = 32

export interface HeaderList {
  /** Name, value, name, value: bytes as characters (latin1). */
  readonly fields: readonly string[]
  /** Names, values and 32 bytes for each field. */
  readonly bytes: number
  /** Larger than allowed: `fields` then lacks what was over the limit, but the decoder has seen all of it. */
  readonly isTooLarge: boolean
  /**
   * What a layer above made of the fields. Blocks with the same bytes share one list, so it makes it once for all the calls that
   * carry the same headers.
   */
  memo: unknown
}
