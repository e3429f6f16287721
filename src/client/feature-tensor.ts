/** A `Tensor` read from its bytes: one copy, into memory that a `Float32Array` can stand on. */
import { TwinstoreError } from '../domain/errors.ts'
import { WireReader } from '../lib/wire.ts'
import type { AnswerLayout, Layout } from './answer-layout.ts'

export interface FeatureTensor {
  /** Row-major; null, missing and unavailable values are NaN. */
  readonly data: Float32Array
  readonly rows: number
  readonly columns: number
  /** One per column of the tensor; a vector's are `name[0]`, `name[1]`, ... */
  readonly names: readonly string[]
  /** A `SlotStatus` per row and layout column; empty when all are PRESENT. */
  readonly statuses: Uint8Array
  readonly layout: Layout
}

const NONE = new Uint8Array()

export function readTensor({ layout, tensorNames }: AnswerLayout, bytes: Buffer): FeatureTensor {
  let rows = 0
  let columns = 0
  let matrix: Uint8Array = NONE
  let statuses: Uint8Array = NONE
  const reader = new WireReader(bytes)
  while (reader.next()) {
    if (reader.field === 1) rows = reader.readUint32()
    else if (reader.field === 2) columns = reader.readUint32()
    else if (reader.field === 3) matrix = reader.readBytes()
    else if (reader.field === 4) statuses = reader.readBytes()
    else reader.skip()
  }
  if (matrix.length !== 4 * rows * columns) {
    throw new TwinstoreError('DATA_LOSS', `a tensor of ${rows} x ${columns} came with ${matrix.length} bytes`)
  }
  // Copies: a Float32Array must begin at a multiple of four bytes, and a view would keep the whole answer in memory.
  const data = new Float32Array(rows * columns)
  new Uint8Array(data.buffer).set(matrix)
  return { data, rows, columns, names: tensorNames, statuses: Uint8Array.from(statuses), layout }
}
