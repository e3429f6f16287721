/**
 * What the columns of an answer are, encoded once per plan.
 *
 * The id is the first half of a SHA-256 over the encoded columns, views and fingerprint: any instance with the same definitions gives
 * the same id, and no other definitions do. It is never 0, which in a request means "unknown".
 */
import { createHash } from 'node:crypto'
import { typeName, type ValueType } from '../domain/value-type.ts'
import { lengthField } from '../lib/wire.ts'

export interface LayoutColumn {
  readonly name: string
  readonly view: string
  readonly feature: string
  readonly type: ValueType
}

export interface Layout {
  readonly columns: readonly LayoutColumn[]
  /** The halves of the id as they stand in `known_layout`. */
  readonly idLow: number
  readonly idHigh: number
  /** The beginning of an answer: `layout_id` alone, and with `layout`. */
  readonly knownHead: Buffer
  readonly fullHead: Buffer
}

export function encodeLayout(columns: readonly LayoutColumn[], views: readonly string[], fingerprint: string): Layout {
  const content = Buffer.concat([
    text(2, fingerprint),
    ...columns.map((column) => lengthField(3, encodeColumn(column))),
    ...views.map((view) => text(4, view)),
  ])
  const id = createHash('sha256').update(content).digest().subarray(0, 8)
  if (id.every((byte) => byte === 0)) id[0] = 1
  // Tag of field 1, wire type fixed64: the same in Layout (`id`) and in GetFeaturesResponse (`layout_id`).
  const idField = Buffer.concat([Buffer.from([0x09]), id])
  return {
    columns,
    idLow: id.readUInt32LE(0),
    idHigh: id.readUInt32LE(4),
    knownHead: idField,
    fullHead: Buffer.concat([idField, lengthField(2, Buffer.concat([idField, content]))]),
  }
}

function encodeColumn(column: LayoutColumn): Buffer {
  return Buffer.concat([
    text(1, column.name),
    text(2, column.view),
    text(3, column.feature),
    text(4, typeName(column.type)),
  ])
}

function text(field: number, value: string): Buffer {
  return lengthField(field, Buffer.from(value, 'utf8'))
}
