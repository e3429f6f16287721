/**
 * The point-in-time join as SQL, for both modes by one idea.
 *
 * A row of a table becomes visible at its event timestamp (EVENT_TIME), or once it has also been recorded (AS_SERVED:
 * the later of event and created timestamp). A row is kept only if, the moment it becomes visible, it is the greatest
 * version among all rows of its entity that are visible then; any other row can never be an answer. Of the kept rows the
 * last one visible at a spine row's timestamp is the greatest version visible, so that one ASOF join on visibility
 * answers both modes, ties and late rows included.
 *
 * Entities are numbered first, from the spine: a table's rows of other entities are dropped while it is read, and the
 * join compares two integers instead of strings. It carries nothing but row numbers and ages; features are fetched by
 * row number afterwards (docs/decisions/006-point-in-time-join.md and 015-training-sets-at-scale.md have the numbers and what was
 * rejected). Row numbers have 32 bits in it, because the join sorts them: a third less processor time than with 64. A
 * number that does not fit is an error of the cast.
 *
 * Tables made here: `entities_<view>` (id, k0, k1, ...), `history_<view>` (id, event_micros, visible_micros, version_order
 * columns, schema_id, missing_features, f<ordinal> ...), `visible_<view>` (id, visible_micros, event_micros, history_row),
 * `matches_<join>` (spine_offset, history_row, age_micros).
 */
import {
  type DefaultValue,
  type Feature,
  type FeatureView,
  requestColumn,
  type ViewUse,
} from '../../domain/registry.ts'
import type { ScalarType, ValueType } from '../../domain/value-type.ts'
import type { JoinMode } from '../dataset-jobs.ts'
import type { HistoryRange } from '../history-range.ts'
import type { TableScan } from '../table-jobs.ts'
import { duckdbKeyType, duckdbType, identifier, literal, timestampLiteral } from './sql.ts'
import { tableSql } from './table-sql.ts'

/** One view joined by one set of spine columns; uses of the view with the same columns share it. */
export interface Join {
  readonly index: number
  readonly view: FeatureView
  /** The spine columns that hold the view's join keys, in the order of `view.joinKeys`. */
  readonly keyColumns: readonly string[]
}

/** What has been read of one view's table. */
export interface History {
  /** The number in the names of its tables. */
  readonly viewIndex: number
  /** Whether no spine row can have an answer in it: nothing is joined then. */
  readonly isEmpty: boolean
}

/** The columns of the request that hold the join keys of a view under this use. */
export function keyColumnsOf(view: FeatureView, use: ViewUse): string[] {
  return view.joinKeys.map((key) => requestColumn(use, key.name))
}

/** The spine as SQL: the expression of each column by name, and the moment of each row in microseconds. */
export interface SpineSql {
  /** The relation, with `rowid` in the order of the spine. */
  readonly relation: string
  column(name: string): string
  readonly atMicros: string
}

/** Numbers the entities of the spine that any of these joins of one view asks for. */
export function entitiesSql(viewIndex: number, joins: readonly Join[], spine: SpineSql): string {
  const selects = joins.map((join) => {
    const keys = keyExpressions(join, spine)
    const columns = keys.map((key, position) => `${key} AS k${position}`)
    return `SELECT DISTINCT ${columns.join(', ')} FROM ${spine.relation} WHERE ${notNull(keys)}`
  })
  return `CREATE TEMP TABLE entities_${viewIndex} AS
    SELECT CAST(row_number() OVER () AS UINTEGER) AS id, * FROM (${selects.join(' UNION ')})`
}

/**
 * The rows of a view's table that can be an answer: of the spine's entities, in `range`, and visible by its end (the greatest
 * timestamp of the spine). `ordinals` are those of the features to read. Event times are compared as such too, so that DuckDB
 * skips row groups by their statistics.
 */
export function historySql(
  viewIndex: number,
  table: TableScan,
  ordinals: readonly number[],
  mode: JoinMode,
  range: HistoryRange,
): string {
  const { view } = table
  const visible = mode === 'EVENT_TIME' ? 'event_timestamp' : 'greatest(event_timestamp, created_timestamp)'
  const features = ordinals.map((ordinal) => `${storedFeature(view, ordinal)} AS f${ordinal}`)
  const sameKeys = view.joinKeys.map((key, position) => `e.k${position} = t.${identifier(key.name)}`)
  const columns = [
    'e.id',
    'epoch_us(event_timestamp) AS event_micros',
    `epoch_us(${visible}) AS visible_micros`,
    'write_position',
    "write_origin = 'write' AS written",
    'schema_id',
    'missing_features',
    ...features,
  ]
  const withinRange = [
    `event_timestamp <= ${timestampLiteral(range.eventMicrosMax)}`,
    ...(range.eventMicrosMin === undefined ? [] : [`event_timestamp >= ${timestampLiteral(range.eventMicrosMin)}`]),
    ...(mode === 'EVENT_TIME' ? [] : [`created_timestamp <= ${timestampLiteral(range.eventMicrosMax)}`]),
  ]
  return `CREATE TEMP TABLE history_${viewIndex} AS
    SELECT ${columns.join(', ')} FROM (${tableSql(table)}) t JOIN entities_${viewIndex} e ON ${sameKeys.join(' AND ')}
    WHERE ${withinRange.join(' AND ')}`
}

/** A stored value, with the default where the feature is missing in its row. A null stays null. */
function storedFeature(view: FeatureView, ordinal: number): string {
  const feature = view.features[ordinal]!
  const column = `t.${identifier(feature.name)}`
  if (feature.default === undefined) return column
  return `CASE WHEN ${missingSql(view, ordinal)} THEN ${defaultSql(feature)} ELSE ${column} END`
}

/** Whether a feature is missing in a row of the table: named so by the row, or younger than the row's schema. */
export function missingSql(view: FeatureView, ordinal: number): string {
  const firstSchemaId = view.schemaFeatureCounts.findIndex((count) => count > ordinal) + 1
  return `(schema_id < ${firstSchemaId} OR list_contains(missing_features, ${literal(view.features[ordinal]!.name)}))`
}

/**
 * The rows of the history that are an answer at some moment. The frame of the running maximum includes the rows that become
 * visible together. Positions are unique within a table but for a sync and a write of the same microsecond; `written`
 * makes the order total, so that no answer depends on the order of files.
 */
export function visibleSql(viewIndex: number, mode: JoinMode): string {
  const create = `CREATE TEMP TABLE visible_${viewIndex} AS SELECT id, visible_micros, event_micros, history_row FROM`
  if (mode === 'EVENT_TIME') {
    return `${create} (SELECT *, ${HISTORY_ROW} FROM history_${viewIndex})
      QUALIFY row_number() OVER (PARTITION BY id, event_micros ORDER BY write_position DESC, written DESC) = 1`
  }
  const version = 'row_number() OVER (PARTITION BY id ORDER BY event_micros, write_position, written)'
  return `${create} (
      SELECT id, visible_micros, event_micros, ${HISTORY_ROW}, ${version} AS version FROM history_${viewIndex}
    ) QUALIFY version = max(version) OVER (PARTITION BY id ORDER BY visible_micros)`
}

const HISTORY_ROW = 'CAST(rowid AS UINTEGER) AS history_row'

/** Rows of the spine from `first` (inclusive) until `end` (exclusive). */
export interface SpineSlice {
  readonly first: number
  readonly end: number
}

/**
 * For each spine row of the slice that has an answer in this join: its place in the slice, the history's row number, and
 * how much older than the spine row the answer is.
 */
export function matchesSql(join: Join, viewIndex: number, spine: SpineSql, slice: SpineSlice): string {
  const sameKeys = keyExpressions(join, spine).map((key, position) => `${key} = e.k${position}`)
  return `CREATE OR REPLACE TEMP TABLE matches_${join.index} AS
    SELECT s.spine_offset, v.history_row, s.at_micros - v.event_micros AS age_micros FROM (
      SELECT ${offsetSql(slice)} AS spine_offset, e.id, ${spine.atMicros} AS at_micros
      FROM ${spine.relation} s JOIN entities_${viewIndex} e ON ${sameKeys.join(' AND ')} WHERE ${withinSql(slice)}
    ) s ASOF JOIN visible_${viewIndex} v ON s.id = v.id AND s.at_micros >= v.visible_micros`
}

/** The place of a row of the spine `s` in a slice. */
export function offsetSql(slice: SpineSlice): string {
  return `CAST(s.rowid - ${slice.first} AS UINTEGER)`
}

/** Whether a row of the spine `s` is in the slice. */
export function withinSql(slice: SpineSlice): string {
  return `s.rowid >= ${slice.first} AND s.rowid < ${slice.end}`
}

/**
 * The join of some rows `s` of a slice (with their `spine_offset` in it, from `from` until `until`) to their matches and histories, as a
 * chain of LEFT JOINs. The matches of join n are named `m<n>`, its history `h<n>`.
 */
export function joinedSql(
  joins: readonly { readonly join: Join; readonly history: History }[],
  from: number,
  until: number,
): string {
  return joins
    .filter(({ history }) => !history.isEmpty)
    .map(
      ({ join: { index }, history: { viewIndex } }) =>
        `LEFT JOIN (FROM matches_${index} WHERE spine_offset >= ${from} AND spine_offset < ${until}) m${index}
           ON m${index}.spine_offset = s.spine_offset
         LEFT JOIN history_${viewIndex} h${index} ON h${index}.rowid = m${index}.history_row`,
    )
    .join('\n')
}

/**
 * A feature at a spine row by the rules of serving: the default where there is no row; no value where
 * the row is older than the view's TTL (`domain/freshness.ts`), or the default under `onStale: 'default'`.
 */
export function featureSql(join: Join, history: History, ordinal: number): string {
  const { view, index } = join
  const feature = view.features[ordinal]!
  if (history.isEmpty) return defaultSql(feature)
  const cases: string[] = []
  if (feature.default !== undefined) cases.push(`WHEN m${index}.history_row IS NULL THEN ${defaultSql(feature)}`)
  const stale = staleSql(join)
  if (stale !== undefined) cases.push(`WHEN ${stale} THEN ${view.onStale === 'default' ? defaultSql(feature) : 'NULL'}`)
  const value = `h${index}.f${ordinal}`
  return cases.length === 0 ? value : `CASE ${cases.join(' ')} ELSE ${value} END`
}

/** Whether a spine row's match is older than the view's TTL (null where there is none); undefined for a view without one. */
export function staleSql({ view, index }: Join): string | undefined {
  if (view.ttlMicros === undefined) return undefined
  return `m${index}.age_micros > ${view.ttlMicros}`
}

/** A feature's default as a literal of its column type; NULL if it has none. */
export function defaultSql(feature: Feature): string {
  const type = duckdbType(feature.type)
  const value = feature.default
  if (value === undefined) return `NULL::${type}`
  if (!Array.isArray(value)) return scalarDefaultSql(scalarOf(feature.type), value as boolean | number | string)
  const items = (value as readonly (boolean | number | string)[]).map((item) =>
    scalarDefaultSql(scalarOf(feature.type), item),
  )
  return `[${items.join(', ')}]::${type}`
}

function scalarOf(type: ValueType): ScalarType {
  if (type.kind === 'list') return type.of
  return type.kind === 'vector' ? 'float' : type.kind
}

/** Numbers are parsed from text, because an SQL number with a point is a DECIMAL and rounds on its way to DOUBLE. */
function scalarDefaultSql(kind: ScalarType, value: Exclude<DefaultValue, readonly unknown[]>): string {
  if (kind === 'timestamp') return `make_timestamptz(${Number(value) * 1_000_000}::BIGINT)`
  if (kind === 'bytes') return `from_base64(${literal(String(value))})`
  const text = kind === 'float' ? String(Math.fround(Number(value))) : String(value)
  return `CAST(${literal(text)} AS ${duckdbType({ kind })})`
}

function keyExpressions(join: Join, spine: SpineSql): string[] {
  return join.view.joinKeys.map(
    (key, position) => `CAST(${spine.column(join.keyColumns[position]!)} AS ${duckdbKeyType(key.type)})`,
  )
}

function notNull(keys: readonly string[]): string {
  return keys.map((key) => `${key} IS NOT NULL`).join(' AND ')
}
