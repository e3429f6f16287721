/**
 * The body of one row while its request is read: of each feature, where its field lies in the request, or the value that stands in for it.
 *
 * A `WriteRow` frames its values as a row's body does (field 1, a length, a `Value`). So a value that is canonical is taken with its
 * frame, and fields that lie side by side are copied at once: a row whose columns come in the order of the view's features is one copy,
 * however many they are. One object serves all rows of a request, one after the other.
 */
import { isGap, VALUE_TAG } from '../domain/row-codec.ts'
import { varintLength, writeVarint } from '../lib/wire.ts'

const MISSING_FIELD_BYTES = 2
/** In place of a start: no field of the request is to be copied. */
const NOT_COPIED = -1

export class RowBody {
  /** Bytes of the body. */
  length = 0
  readonly #starts: Int32Array
  readonly #ends: Int32Array
  /** Values that are not as the request has them. */
  readonly #values: (Buffer | undefined)[]
  #presentCount = 0

  constructor(featureCount: number) {
    this.#starts = new Int32Array(featureCount)
    this.#ends = new Int32Array(featureCount)
    this.#values = new Array(featureCount)
  }

  /** Begins the next row: every feature is missing. */
  clear(): void {
    this.length = MISSING_FIELD_BYTES * this.#values.length
    this.#starts.fill(NOT_COPIED)
    this.#values.fill(undefined)
    this.#presentCount = 0
  }

  /** The field at `start` to `end` of the request is the feature's, as it is. A feature is given once. */
  takeField(ordinal: number, start: number, end: number, isPresent: boolean): void {
    this.#starts[ordinal] = start
    this.#ends[ordinal] = end
    this.length += end - start - MISSING_FIELD_BYTES
    if (isPresent) this.#presentCount++
  }

  setValue(ordinal: number, value: Buffer): void {
    this.#values[ordinal] = value
    this.length += fieldBytes(value.length) - MISSING_FIELD_BYTES
    if (!isGap(value)) this.#presentCount++
  }

  /** Whether some value is null or missing. */
  get hasGaps(): boolean {
    return this.#presentCount < this.#values.length
  }

  /** Writes `length` bytes from `at` on; `request` is what the fields are of. */
  writeTo(row: Buffer, at: number, request: Buffer): void {
    const starts = this.#starts
    const count = starts.length
    let to = at
    for (let ordinal = 0; ordinal < count; ) {
      const start = starts[ordinal]!
      if (start === NOT_COPIED) {
        to = writeField(row, to, this.#values[ordinal++])
        continue
      }
      let end = this.#ends[ordinal++]!
      while (ordinal < count && starts[ordinal] === end) end = this.#ends[ordinal++]!
      to += request.copy(row, to, start, end)
    }
  }
}

/** Bytes of a value with its frame. */
export function fieldBytes(valueBytes: number): number {
  return 1 + varintLength(valueBytes) + valueBytes
}

function writeField(row: Buffer, at: number, value: Buffer | undefined): number {
  row[at] = VALUE_TAG
  const start = writeVarint(row, at + 1, value?.length ?? 0)
  if (value !== undefined) row.set(value, start)
  return start + (value?.length ?? 0)
}
