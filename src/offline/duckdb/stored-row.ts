/** Rows of a table read back from DuckDB's chunks: their key, versions, and values as serialized `Value`s. */
import type { DuckDBDataChunk, DuckDBListValue, DuckDBValue } from '@duckdb/node-api'
import { type EntityKey, entityKey, type KeyValue } from '../../domain/entity-key.ts'
import { TwinstoreError } from '../../domain/errors.ts'
import type { FeatureView } from '../../domain/registry.ts'
import { MISSING_VALUE } from '../../domain/row-codec.ts'
import type { Position } from '../../domain/version.ts'
import { micros, valueBytes } from './duckdb-values.ts'

export interface StoredRow {
  readonly key: EntityKey
  readonly eventMicros: number
  readonly createdMicros: number
  readonly position: Position
  readonly origin: 'write' | 'sync'
  readonly schemaId: number
  /** As they were written: one per feature of the row's own schema. */
  readonly values: readonly Buffer[]
}

/** The rows of a chunk whose columns are `tableColumns(view)`. */
export function storedRows(view: FeatureView, chunk: DuckDBDataChunk): StoredRow[] {
  const columns = chunk.getColumns()
  const keyTypes = view.joinKeys.map((joinKey) => joinKey.type)
  const keyCount = keyTypes.length
  const systemFrom = keyCount + view.features.length
  const [events, created, positions, origins, schemaIds, missing] = columns.slice(systemFrom)
  return Array.from({ length: chunk.rowCount }, (_, index) => {
    const schemaId = schemaIds![index] as number
    return {
      key: entityKey(
        keyTypes,
        columns.slice(0, keyCount).map((column) => column[index] as KeyValue),
      ),
      eventMicros: micros(events![index]!),
      createdMicros: micros(created![index]!),
      position: Number(positions![index]) as Position,
      origin: origins![index] as 'write' | 'sync',
      schemaId,
      values: rowCells(view, schemaId, columns.slice(keyCount, systemFrom), index, missing![index]!),
    }
  })
}

function rowCells(
  view: FeatureView,
  schemaId: number,
  columns: readonly (readonly DuckDBValue[])[],
  index: number,
  missingCell: DuckDBValue,
): Buffer[] {
  const featureCount = view.schemaFeatureCounts[schemaId - 1]
  if (featureCount === undefined) {
    throw new TwinstoreError(
      'FAILED_PRECONDITION',
      `the table of view ${view.name} holds rows of schema ${schemaId}, these definitions end at ${view.schemaId}: apply the newer definitions here too`,
    )
  }
  const missing = missingCell === null ? undefined : new Set((missingCell as DuckDBListValue).items)
  return view.features
    .slice(0, featureCount)
    .map((feature, ordinal) =>
      missing?.has(feature.name) ? MISSING_VALUE : valueBytes(feature.type, columns[ordinal]![index]!),
    )
}
