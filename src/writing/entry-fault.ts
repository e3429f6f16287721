import { decodeEntityKey, splitRowKey } from '../domain/entity-key.ts'
import { TwinstoreError } from '../domain/errors.ts'
import type { FeatureView } from '../domain/registry.ts'
import { rowFault, rowPosition, rowSchemaId, rowValues } from '../domain/row-codec.ts'
import { decodeValue } from '../domain/value-codec.ts'
import { WireError } from '../lib/wire.ts'
import type { OutboxEntry } from '../online/online-store.ts'

/** What shows without the view that an outbox row was damaged; cheap enough to ask of every row. */
export function damageOf(entry: OutboxEntry): TwinstoreError | undefined {
  const fault = rowFault(entry.row)
  if (fault !== undefined) return fault
  // The checksum leaves the header out; the position is there twice.
  return rowPosition(entry.row) === entry.position ? undefined : corrupt('its position is not that of its outbox entry')
}

/** What makes an outbox row unreadable as a row of the view, down to each value; undefined for a sound one. */
export function entryFault(view: FeatureView, entry: OutboxEntry): TwinstoreError | undefined {
  const damaged = damageOf(entry)
  if (damaged !== undefined) return damaged
  try {
    decodeEntityKey(
      view.joinKeys.map((key) => key.type),
      splitRowKey(entry.key).entityKey,
    )
    const values = rowValues(entry.row)
    const expected = view.schemaFeatureCounts[rowSchemaId(entry.row) - 1]
    // A schema this program does not know yet is no damage: newer definitions read it.
    if (expected === undefined) return undefined
    if (values.length !== expected) return corrupt(`${values.length} values where its schema has ${expected}`)
    for (const [ordinal, value] of values.entries()) decodeValue(view.features[ordinal]!.type, value)
    return undefined
  } catch (error) {
    if (error instanceof TwinstoreError) return error
    if (error instanceof WireError) return corrupt(error.message)
    throw error
  }
}

function corrupt(detail: string): TwinstoreError {
  return new TwinstoreError('DATA_LOSS', `corrupt row: ${detail}`)
}
