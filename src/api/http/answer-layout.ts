/** The layout of an answer, prepared for writing rows as JSON: every name is escaped once. */
import { WireReader } from '../../lib/wire.ts'

export interface AnswerLayout {
  /** `Layout.id` as it stands in a message. */
  readonly id: Buffer
  readonly fingerprint: string
  /** `"name":` of each column, with the comma that goes before it from the second on. */
  readonly columns: readonly string[]
  /** The same without commas: of statuses, only some are written. */
  readonly names: readonly string[]
  /** `"view":` of each view whose event timestamp a vector carries, with commas as above. */
  readonly timestamps: readonly string[]
  /** `"view"`. */
  readonly views: readonly string[]
}

/** From the fields of a serialized `Layout`. */
export function readLayout(bytes: Buffer): AnswerLayout {
  const reader = new WireReader(bytes)
  const names: string[] = []
  const views: string[] = []
  let id = Buffer.alloc(8)
  let fingerprint = ''
  while (reader.next()) {
    if (reader.field === 1) {
      reader.readFixed64()
      id = Buffer.from(bytes.subarray(reader.position - 8, reader.position))
    } else if (reader.field === 2) fingerprint = reader.readString()
    else if (reader.field === 3) names.push(JSON.stringify(columnName(reader.readBytes())))
    else if (reader.field === 4) views.push(JSON.stringify(reader.readString()))
    else reader.skip()
  }
  const members = (texts: readonly string[]) => texts.map((text, index) => `${index === 0 ? '' : ','}${text}:`)
  return {
    id,
    fingerprint,
    columns: members(names),
    names: names.map((name) => `${name}:`),
    timestamps: members(views),
    views,
  }
}

function columnName(column: Buffer): string {
  const reader = new WireReader(column)
  while (reader.next()) {
    if (reader.field === 1) return reader.readString()
    reader.skip()
  }
  return ''
}
