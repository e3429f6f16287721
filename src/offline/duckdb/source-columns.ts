/** The columns of a view's source matched with those of its table; all that do not fit are reported together. */
import type { Fault } from '../../domain/errors.ts'
import type { FeatureView } from '../../domain/registry.ts'
import { typeName, type ValueType } from '../../domain/value-type.ts'
import { featureCast, type SourceCast, scalarCast, timestampCast } from './source-casts.ts'
import { duckdbKeyType, duckdbType, identifier } from './sql.ts'

export interface SourceColumn {
  readonly name: string
  readonly role: 'key' | 'feature' | 'eventTime' | 'createdTime'
  /** The column as the source gives it. */
  readonly rawSql: string
  readonly cast: SourceCast
}

/** `given` is the DuckDB type of each column of the source. Columns that the view does not have are ignored. */
export function matchColumns(
  view: FeatureView,
  given: ReadonlyMap<string, string>,
): { readonly columns: readonly SourceColumn[]; readonly faults: readonly Fault[] } {
  const columns: SourceColumn[] = []
  const faults: Fault[] = []
  const match = (
    name: string,
    role: SourceColumn['role'],
    wanted: string,
    castFrom: (columnSql: string, from: string) => SourceCast | undefined,
  ) => {
    const from = given.get(name)
    const rawSql = identifier(name)
    if (from === undefined) {
      faults.push({ at: name, problem: `missing: the SQL gives ${[...given.keys()].join(', ')}` })
      return
    }
    const cast = castFrom(rawSql, from)
    if (cast === undefined) faults.push({ at: name, problem: `expected ${wanted}, got ${from}; cast it in the SQL` })
    else columns.push({ name, role, rawSql, cast })
  }

  for (const { name, type } of view.joinKeys) {
    match(name, 'key', `${type} (${duckdbKeyType(type)})`, (sql, from) => scalarCast(sql, from, duckdbKeyType(type)))
  }
  for (const { name, type } of view.features)
    match(name, 'feature', wantedType(type), (sql, from) => featureCast(sql, from, type))
  match('event_timestamp', 'eventTime', 'TIMESTAMPTZ, TIMESTAMP or DATE', timestampCast)
  if (given.has('created_timestamp')) {
    match('created_timestamp', 'createdTime', 'TIMESTAMPTZ, TIMESTAMP or DATE', timestampCast)
  }
  return { columns, faults }
}

function wantedType(type: ValueType): string {
  return `${typeName(type)} (${duckdbType(type)})`
}
