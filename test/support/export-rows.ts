/** A whole export as plain rows, by the `rows` format: values say themselves what they are, timestamps are microseconds. */
import type { ExportOptions, TwinstoreClient } from '../../src/client/index.ts'
import { decodeValue, type FeatureValue } from '../../src/domain/value-codec.ts'
import { SCALAR_FIELD, type ScalarType } from '../../src/domain/value-type.ts'
import { WireReader } from '../../src/lib/wire.ts'

const KIND_OF_FIELD = new Map(Object.entries(SCALAR_FIELD).map(([kind, field]) => [field, kind as ScalarType]))
const NULL_FIELD = 19

export type ExportRow = Readonly<Record<string, FeatureValue | null>>

export async function readExportRows(
  client: TwinstoreClient,
  options: Omit<ExportOptions, 'format'>,
): Promise<ExportRow[]> {
  const dataset = await client.exportFeatures({ ...options, format: 'rows' })
  const names = dataset.info.columns.map((column) => column.name)
  const rows: ExportRow[] = []
  for await (const message of dataset) {
    for (const row of repeatedField1(message)) {
      const values = repeatedField1(row).map(scalar)
      rows.push(Object.fromEntries(names.map((name, index) => [name, values[index]!])))
    }
  }
  return rows
}

function repeatedField1(message: Buffer): Buffer[] {
  const reader = new WireReader(message)
  const items: Buffer[] = []
  while (reader.next()) items.push(reader.readBytes())
  return items
}

function scalar(bytes: Buffer): FeatureValue | null {
  const reader = new WireReader(bytes)
  reader.next()
  if (reader.field === NULL_FIELD) return null
  const kind = KIND_OF_FIELD.get(reader.field)
  if (kind === undefined) throw new Error(`field ${reader.field} is not a scalar`)
  return decodeValue({ kind }, bytes) as FeatureValue
}
