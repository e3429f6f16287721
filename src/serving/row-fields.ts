/**
 * Where the fields of a row's body are, found by walking their lengths.
 *
 * One `RowFields` is used again and again, because the hot path must not allocate per value; it holds the last row
 * that was walked and is read before the next walk.
 */
import { TwinstoreError } from '../domain/errors.ts'
import { SlotStatus } from '../domain/outcome.ts'
import { ROW_HEADER_BYTES } from '../domain/row-codec.ts'

/** Bytes of a field with a missing value (tag, length 0), and with a null (tag, length 3, `null_val`). */
const UNSET_FIELD_BYTES = 2
const NULL_FIELD_BYTES = 5

export class RowFields {
  /** How many fields the last walk found; an older row has fewer than the view has features. */
  count = 0
  private row: Buffer = Buffer.alloc(0)
  private starts = new Int32Array(64)

  /** Finds the first `countMax` fields. DATA_LOSS if the body is not made of fields, which a row that was checked is. */
  walk(row: Buffer, countMax: number): void {
    if (countMax >= this.starts.length) this.starts = new Int32Array(countMax * 2)
    const { starts } = this
    let at = ROW_HEADER_BYTES
    let count = 0
    while (count < countMax && at < row.length) {
      starts[count++] = at
      let length = row[at + 1]!
      at += 2
      if (length >= 0x80) {
        length &= 0x7f
        for (let shift = 7; ; shift += 7) {
          const byte = row[at++]
          if (byte === undefined || shift > 28) throw corruptBody()
          length |= (byte & 0x7f) << shift
          if (byte < 0x80) break
        }
      }
      at += length
    }
    if (!(at <= row.length)) throw corruptBody()
    starts[count] = at
    this.count = count
    this.row = row
  }

  /** The field's tag. */
  start(ordinal: number): number {
    return this.starts[ordinal]!
  }

  end(ordinal: number): number {
    return this.starts[ordinal + 1]!
  }

  /** PRESENT, NULL or NOT_FOUND. */
  status(ordinal: number): SlotStatus {
    if (ordinal >= this.count) return SlotStatus.NOT_FOUND
    const start = this.starts[ordinal]!
    const length = this.starts[ordinal + 1]! - start
    if (length === UNSET_FIELD_BYTES) return SlotStatus.NOT_FOUND
    if (length !== NULL_FIELD_BYTES) return SlotStatus.PRESENT
    // A tag of `null_val` (field 19, varint) is 0x98 0x01.
    return this.row[start + 2] === 0x98 && this.row[start + 3] === 0x01 ? SlotStatus.NULL : SlotStatus.PRESENT
  }

  /** Where the field's serialized `Value` begins: after tag and length. */
  valueStart(ordinal: number): number {
    let at = this.starts[ordinal]! + 1
    while (this.row[at]! >= 0x80) at++
    return at + 1
  }
}

function corruptBody(): TwinstoreError {
  return new TwinstoreError('DATA_LOSS', 'corrupt row: its body is not a sequence of values')
}
