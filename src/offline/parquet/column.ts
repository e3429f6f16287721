/** A column of a Parquet file: what the file says of it, and its values of the row group that is being filled. */
import type { ScalarType } from '../../domain/value-type.ts'
import { GrowingBytes } from './growing-bytes.ts'
import { Levels } from './levels.ts'

export interface ColumnSpec {
  readonly name: string
  readonly of: ScalarType
  readonly isList: boolean
}

/** Definition levels. Of a scalar column ABSENT and PRESENT_SCALAR; of a list column all but that one. */
const ABSENT = 0
const PRESENT_SCALAR = 1
const EMPTY_LIST = 1
const LIST_ITEM = 2
/** Repetition levels of a list column. */
const NEW_LIST = 0
const SAME_LIST = 1

export class Column {
  readonly spec: ColumnSpec
  /** In Parquet's PLAIN encoding, but a byte for each boolean. */
  readonly values = new GrowingBytes()
  readonly #definitions = new Levels()
  readonly #repetitions = new Levels()

  constructor(spec: ColumnSpec) {
    this.spec = spec
  }

  /** How many levels there are: items, with one for each list that has none. */
  get levels(): number {
    return this.#definitions.count
  }

  get bytes(): number {
    return this.values.length + this.#definitions.bytes + this.#repetitions.bytes
  }

  /** The next row has no value. */
  absent(): void {
    this.#definitions.push(ABSENT)
    if (this.spec.isList) this.#repetitions.push(NEW_LIST)
  }

  /** The next row has the value that is written to `values`. */
  scalar(): void {
    this.#definitions.push(PRESENT_SCALAR)
  }

  /** The next row has a list of the `items` values that are written to `values`. */
  list(items: number): void {
    this.#definitions.push(items === 0 ? EMPTY_LIST : LIST_ITEM)
    this.#repetitions.push(NEW_LIST)
    for (let item = 1; item < items; item++) {
      this.#definitions.push(LIST_ITEM)
      this.#repetitions.push(SAME_LIST)
    }
  }

  /** The bytes of a data page with everything since the last `clear`. */
  page(): Buffer {
    const { isList, of } = this.spec
    const values = of === 'bool' ? packedBooleans(this.values.written()) : this.values.written()
    const definitions = this.#definitions.encoded(isList ? 2 : 1)
    return Buffer.concat(isList ? [this.#repetitions.encoded(1), definitions, values] : [definitions, values])
  }

  clear(): void {
    this.values.clear()
    this.#definitions.clear()
    this.#repetitions.clear()
  }
}

function packedBooleans(values: Buffer): Buffer {
  const bits = Buffer.alloc(Math.ceil(values.length / 8))
  for (let index = 0; index < values.length; index++) bits[index >> 3]! |= values[index]! << (index & 7)
  return bits
}
