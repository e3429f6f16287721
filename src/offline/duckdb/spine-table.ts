/**
 * The spine of a training set as a DuckDB table in the order of its file. Its columns are named by their place (`c0`, `c1`),
 * so that no name a user chose can meet one of ours. Everything that is wrong with it is reported at once.
 */
import type { KeyType } from '../../domain/entity-key.ts'
import { type Fault, faultsError, TwinstoreError } from '../../domain/errors.ts'
import type { Feature } from '../../domain/registry.ts'
import { typeName } from '../../domain/value-type.ts'
import { didYouMean } from '../../lib/nearest-name.ts'
import type { TrainingSetJob } from '../dataset-jobs.ts'
import type { QueryColumn } from './dataset-query.ts'
import type { SpineSql } from './point-in-time.ts'
import type { Session } from './session.ts'
import { featureCast, type SourceCast, scalarCast, timestampCast } from './source-casts.ts'
import { duckdbKeyType, duckdbType, literal } from './sql.ts'

/** What a training set needs of its spine. */
export interface SpineNeeds {
  readonly keys: ReadonlyMap<string, KeyType>
  readonly request: readonly Feature[]
  /** Names of the columns that the training set adds. */
  readonly outputs: readonly string[]
}

export interface Spine {
  readonly rows: number
  /** The least and the greatest timestamp, microseconds. */
  readonly fromMicros: bigint
  readonly untilMicros: bigint
  readonly columns: readonly QueryColumn[]
  readonly sql: SpineSql
  /** The request features that the spine has, as expressions of the feature's type. */
  readonly request: ReadonlyMap<string, string>
}

const SUBJECT = 'the spine'

type SpineInput = TrainingSetJob['input']['spine']

interface GivenColumn extends QueryColumn {
  readonly sql: string
}

export async function loadSpine(session: Session, input: SpineInput, needs: SpineNeeds): Promise<Spine> {
  const relation = (await spineRelation(session, input, needs))!
  const described = await session.rows(`DESCRIBE FROM ${relation}`, { subject: SUBJECT })
  const columns = described.map((row, index): GivenColumn => {
    return { name: String(row['column_name']), type: String(row['column_type']), sql: `c${index}` }
  })
  if (!input.mayBeEmpty) await refuseEmpty(session, relation)
  const casts = checkColumns(columns, input.timestampColumn, needs)
  const places = columns.map((column) => column.sql).join(', ')
  await session.run(`CREATE TEMP TABLE spine AS SELECT * FROM ${relation} AS s(${places})`, { subject: SUBJECT })
  const given = columns.find((column) => column.name === input.timestampColumn)!
  const moment = momentSql(given.sql, given.type)!
  const measured = await checkValues(session, columns, input.timestampColumn, moment, casts)
  return {
    ...measured,
    columns,
    sql: { relation: 'spine', column: (name) => casts.get(name)!.valueSql, atMicros: `epoch_us(${moment})` },
    request: new Map(
      needs.request.flatMap(({ name }) => (casts.has(name) ? [[name, casts.get(name)!.valueSql] as const] : [])),
    ),
  }
}

/**
 * The spine's file as a relation for a query. `only` says which column will be read of it, where it is but one: undefined then
 * if the file is known not to have it.
 */
export async function spineRelation(
  session: Session,
  input: SpineInput,
  { keys = new Map(), only }: { readonly keys?: SpineNeeds['keys']; readonly only?: string },
): Promise<string | undefined> {
  if (input.format === 'arrow') {
    // Arrow takes a tenth of a second to load, and a job process is started for any kind of job.
    const { loadArrowSpine } = await import('./arrow-spine.ts')
    return loadArrowSpine(session, input.file, only)
  }
  if (input.format === 'parquet') return `read_parquet(${literal(input.file)})`
  const options = `header = true`
  const described = await session.rows(`DESCRIBE FROM read_csv(${literal(input.file)}, ${options})`, {
    subject: SUBJECT,
  })
  // The sniffer would take a code like 0042 for a number; what the service knows is not left to it.
  const types = described
    .map((row) => String(row['column_name']))
    .flatMap((name) => {
      const type = keys.get(name)
      return type === undefined ? [] : [`${literal(name)}: ${literal(duckdbKeyType(type))}`]
    })
  const typed = types.length === 0 ? options : `${options}, types = {${types.join(', ')}}`
  return `read_csv(${literal(input.file)}, ${typed})`
}

/** Before the types are looked at: those of an empty CSV file are not known. */
async function refuseEmpty(session: Session, relation: string): Promise<void> {
  const first = await session.rows(`SELECT 1 FROM ${relation} LIMIT 1`, { subject: SUBJECT })
  if (first.length > 0) return
  throw new TwinstoreError('INVALID_ARGUMENT', 'the spine has no rows, so there is nothing to join')
}

function checkColumns(
  columns: readonly GivenColumn[],
  timestampColumn: string,
  needs: SpineNeeds,
): ReadonlyMap<string, SourceCast> {
  const known = new Map(columns.map((column) => [column.name, column]))
  const casts = new Map<string, SourceCast>()
  const faults: Fault[] = []
  const need = (name: string, wanted: string, castOf: (column: GivenColumn) => SourceCast | undefined) => {
    const column = known.get(name)
    if (column === undefined) {
      const near = didYouMean(name, known.keys())
      faults.push({
        at: name,
        problem: `missing, expected ${wanted}${near}; the spine has ${[...known.keys()].join(', ')}`,
      })
      return
    }
    const cast = castOf(column)
    if (cast === undefined) faults.push({ at: name, problem: `expected ${wanted}, got ${column.type}` })
    else casts.set(name, cast)
  }
  need(timestampColumn, 'TIMESTAMP, TIMESTAMPTZ or DATE', ({ sql, type }) => momentCast(sql, type))
  for (const [name, type] of needs.keys) {
    const wanted = `a join key of type ${type} (${duckdbKeyType(type)})`
    need(name, wanted, (column) => scalarCast(column.sql, column.type, duckdbKeyType(type)))
  }
  for (const feature of needs.request) {
    if (!known.has(feature.name) && feature.default !== undefined) continue
    const wanted = `the request feature ${typeName(feature.type)} (${duckdbType(feature.type)})`
    need(feature.name, wanted, (column) => featureCast(column.sql, column.type, feature.type))
  }
  const outputs = new Set(needs.outputs.map((name) => name.toLowerCase()))
  for (const { name } of columns) {
    if (outputs.has(name.toLowerCase())) {
      faults.push({ at: name, problem: 'the training set adds a column of this name: rename it in the spine' })
    }
  }
  if (faults.length > 0) throw faultsError('INVALID_ARGUMENT', 'the spine does not fit the service:', faults)
  return casts
}

/** Nanoseconds, which pandas writes, are cut to microseconds: no event timestamp is finer. */
function momentCast(sql: string, type: string): SourceCast | undefined {
  return timestampCast(sql, type === 'TIMESTAMP_NS' ? 'TIMESTAMP' : type)
}

/**
 * The moment of a row as DuckDB counts microseconds from. A zoneless timestamp is one in UTC as it is: `AT TIME ZONE` would say
 * so through the calendar library, which cost 0.3 s of processor time for 3 M rows, each time. Undefined for a type that holds
 * no moments.
 */
export function momentSql(sql: string, type: string): string | undefined {
  if (momentCast(sql, type) === undefined) return undefined
  return type === 'TIMESTAMP WITH TIME ZONE' ? sql : `CAST(${sql} AS TIMESTAMP)`
}

/** Counts what the types allow and the join does not. A null join key is no fault: such a row has no features. */
async function checkValues(
  session: Session,
  columns: readonly GivenColumn[],
  timestampColumn: string,
  moment: string,
  casts: ReadonlyMap<string, SourceCast>,
): Promise<Pick<Spine, 'rows' | 'fromMicros' | 'untilMicros'>> {
  const checked = columns.filter((column) => casts.get(column.name)?.lossSql !== undefined)
  const losses = checked.map((column, index) => `count(*) FILTER (${casts.get(column.name)!.lossSql}) AS loss${index}`)
  const finite = `${moment} IS NOT NULL AND isfinite(${moment})`
  const [counted] = await session.rows(
    `SELECT ${[
      'count(*) AS all_rows',
      `count(*) FILTER (${finite}) AS dated_rows`,
      `min(epoch_us(${moment})) FILTER (${finite}) AS from_micros`,
      `max(epoch_us(${moment})) FILTER (${finite}) AS until_micros`,
      ...losses,
    ].join(', ')} FROM spine`,
  )
  const rows = Number(counted!['all_rows'])
  const undated = rows - Number(counted!['dated_rows'])
  const faults: Fault[] = []
  if (undated > 0) {
    faults.push({ at: timestampColumn, problem: `${undated} of ${rows} rows have no timestamp, or an infinite one` })
  }
  checked.forEach((column, index) => {
    const lost = Number(counted![`loss${index}`])
    if (lost > 0)
      faults.push({ at: column.name, problem: `${lost} of ${rows} values (${column.type}) are out of range` })
  })
  if (faults.length > 0) throw faultsError('INVALID_ARGUMENT', 'the spine has rows that cannot be joined:', faults)
  return { rows, fromMicros: microsOr0(counted!['from_micros']), untilMicros: microsOr0(counted!['until_micros']) }
}

/** Of a spine without rows there is neither. */
function microsOr0(value: unknown): bigint {
  return (value as bigint | null) ?? 0n
}
