/** Rows of one view's table as a data set, in order of (join keys, event timestamp, write position). */
import { TwinstoreError } from '../../domain/errors.ts'
import type { FeatureView } from '../../domain/registry.ts'
import { didYouMean } from '../../lib/nearest-name.ts'
import type { ExportJob } from '../dataset-jobs.ts'
import type { TableScan } from '../table-jobs.ts'
import type { DatasetQuery, QueryColumn } from './dataset-query.ts'
import { openDatasetWriter } from './dataset-writer.ts'
import type { JobContext } from './job.ts'
import type { Session } from './session.ts'
import { soundParts } from './sound-parts.ts'
import { duckdbKeyType, identifier, literal, timestampLiteral } from './sql.ts'
import { tableColumns, tableSql } from './table-sql.ts'

export async function runExport(
  session: Session,
  input: ExportJob['input'],
  context: JobContext,
): Promise<ExportJob['output']> {
  const query = exportQuery({ ...input, table: await soundTable(session, input) })
  const writer = await openDatasetWriter(session, input.format, {
    outputFile: input.outputFile,
    columns: query.columns,
    parts: 1,
  })
  try {
    context.progress('exporting')
    await writer.write(query)
    return await writer.finish()
  } catch (error) {
    await writer.discard()
    throw error
  }
}

/** Of few entities only the parts of files that hold them are read and verified; all else is verified already. */
async function soundTable(session: Session, { table, entities }: ExportJob['input']): Promise<TableScan> {
  return entities === undefined ? table : soundParts(session, table, entities)
}

function exportQuery(input: ExportJob['input']): DatasetQuery {
  const { view } = input.table
  const keys = view.joinKeys.map((key) => identifier(key.name))
  const rows = `(${tableSql(input.table)})`
  const filtered = `SELECT * FROM ${rows} WHERE ${conditions(input).join(' AND ')}`
  const latest = `QUALIFY row_number() OVER (
    PARTITION BY ${keys.join(', ')} ORDER BY event_timestamp DESC, write_position DESC, write_origin DESC) = 1`
  return {
    columns: renamed(exportColumns(view, input.columns), input.rename ?? {}),
    from: `(${filtered} ${input.latestOnly === true ? latest : ''})`,
    orderBy: [...keys, 'event_timestamp', 'write_position', 'write_origin'].join(', '),
  }
}

function conditions(input: ExportJob['input']): string[] {
  const { view } = input.table
  const all = ['true']
  if (input.fromMicros !== undefined) all.push(`event_timestamp >= ${timestampLiteral(input.fromMicros)}`)
  if (input.untilMicros !== undefined) all.push(`event_timestamp < ${timestampLiteral(input.untilMicros)}`)
  if (input.entities !== undefined) all.push(entityCondition(view, input.entities))
  return all
}

/**
 * The entities as a list of literals, so that DuckDB compares them with each file's and row group's minimum and maximum
 * before it reads them.
 */
export function entityCondition(view: FeatureView, entities: readonly (readonly string[])[]): string {
  if (entities.length === 0) return 'false'
  const perKey = view.joinKeys.map((key, position) => {
    const values = [...new Set(entities.map((entity) => keyLiteral(key.type, entity[position]!)))]
    return `${identifier(key.name)} IN (${values.join(', ')})`
  })
  if (view.joinKeys.length === 1) return perKey[0]!
  const names = view.joinKeys.map((key) => identifier(key.name))
  const tuples = entities.map(
    (entity) => `(${view.joinKeys.map((key, position) => keyLiteral(key.type, entity[position]!)).join(', ')})`,
  )
  return `${perKey.join(' AND ')} AND (${names.join(', ')}) IN (${tuples.join(', ')})`
}

function keyLiteral(type: 'string' | 'int64', value: string): string {
  return type === 'string' ? literal(value) : `CAST(${literal(value)} AS ${duckdbKeyType(type)})`
}

function exportColumns(view: FeatureView, names: readonly string[] | undefined): QueryColumn[] {
  const known = new Map(
    tableColumns(view).map((column): [string, QueryColumn] => [column.name, queryColumn(view, column)]),
  )
  const wanted = names ?? [
    ...view.joinKeys.map((key) => key.name),
    'event_timestamp',
    'created_timestamp',
    ...view.features.map((feature) => feature.name),
  ]
  if (wanted.length === 0) throw new TwinstoreError('INVALID_ARGUMENT', 'an export needs at least one column')
  const repeated = wanted.find((name, index) => wanted.indexOf(name) !== index)
  if (repeated !== undefined) throw new TwinstoreError('INVALID_ARGUMENT', `column ${repeated} is asked for twice`)
  return wanted.map((name) => {
    const column = known.get(name)
    if (column !== undefined) return column
    throw new TwinstoreError(
      'INVALID_ARGUMENT',
      `view ${view.name} has no column ${name}${didYouMean(name, known.keys())}; it has ${[...known.keys()].join(', ')}`,
    )
  })
}

function renamed(columns: readonly QueryColumn[], names: Readonly<Record<string, string>>): QueryColumn[] {
  return columns.map((column) => ({ ...column, name: names[column.name] ?? column.name }))
}

function queryColumn(view: FeatureView, { name, type }: { readonly name: string; readonly type: string }): QueryColumn {
  return {
    name,
    type: type.replace('TIMESTAMPTZ', 'TIMESTAMP WITH TIME ZONE'),
    sql: identifier(name),
    wholeSeconds: view.features.some((feature) => feature.name === name),
  }
}
