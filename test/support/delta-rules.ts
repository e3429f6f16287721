/**
 * What the Delta protocol demands of a table's folder, as far as Twinstore relies on it
 * (https://github.com/delta-io/delta/blob/master/PROTOCOL.md). Rules that are broken come back as sentences, none if none is.
 * Like `delta-reader.ts` it shares no code with Twinstore.
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'

type Body = Readonly<Record<string, unknown>>

interface Column {
  readonly name: string
  readonly type: string | { readonly type: 'array'; readonly elementType: string }
}

interface State {
  readonly files: Map<string, Body>
  readonly progress: Map<string, number>
  columns: readonly Column[]
  tableId: string | undefined
  isAppendOnly: boolean
  partitionColumns: readonly string[]
}

/** The Parquet types of Delta's, by DuckDB's names for them. */
const PARQUET_TYPES: Readonly<Record<string, string>> = {
  boolean: 'BOOLEAN',
  integer: 'INTEGER',
  long: 'BIGINT',
  float: 'FLOAT',
  double: 'DOUBLE',
  string: 'VARCHAR',
  binary: 'BLOB',
  date: 'DATE',
  timestamp: 'TIMESTAMP WITH TIME ZONE',
}

/** The column of compacted files that is in no schema. */
const OWN_COLUMN = '_twinstore_version'

export async function brokenRules(folder: string): Promise<readonly string[]> {
  const broken: string[] = []
  const names = (await readdir(join(folder, '_delta_log'))).sort()
  const entries = names.filter((name) => /^\d{20}\.json$/.test(name))
  entries.forEach((name, version) => {
    if (Number(name.slice(0, 20)) !== version) broken.push(`version ${version} is not in the log`)
  })
  const state: State = {
    files: new Map(),
    progress: new Map(),
    columns: [],
    tableId: undefined,
    isAppendOnly: false,
    partitionColumns: [],
  }
  for (const [version, name] of entries.entries()) {
    const text = await readFile(join(folder, '_delta_log', name), 'utf8')
    const actions = text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, Body>)
    for (const problem of entryProblems(version, actions, state)) broken.push(`version ${version}: ${problem}`)
  }
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  await connection.run("SET TimeZone = 'UTC'")
  try {
    for (const [path, add] of state.files) {
      for (const problem of await fileProblems(connection, folder, path, add, state)) broken.push(`${path}: ${problem}`)
    }
    for (const name of names.filter((name) => name.endsWith('.checkpoint.parquet'))) {
      for (const problem of await checkpointProblems(connection, join(folder, '_delta_log', name))) {
        broken.push(`${name}: ${problem}`)
      }
    }
    broken.push(...(await pointerProblems(connection, folder, names)))
  } finally {
    connection.closeSync()
  }
  return broken
}

function entryProblems(version: number, actions: readonly Record<string, Body>[], state: State): readonly string[] {
  const problems: string[] = []
  const bodies = (kind: string) => actions.flatMap((action) => (action[kind] === undefined ? [] : [action[kind]]))
  if (actions.some((action) => Object.keys(action).length !== 1)) problems.push('a line is not one action')
  for (const kind of ['protocol', 'metaData', 'commitInfo']) {
    if (bodies(kind).length > 1) problems.push(`more than one ${kind}`)
    if (version === 0 && bodies(kind).length === 0) problems.push(`no ${kind}`)
  }
  for (const protocol of bodies('protocol')) {
    if (protocol['minReaderVersion'] !== 1 || protocol['minWriterVersion'] !== 2) problems.push('not protocol 1, 2')
  }
  for (const metadata of bodies('metaData')) problems.push(...metadataProblems(metadata, state))
  for (const { appId, version: progress } of bodies('txn')) {
    if ((state.progress.get(appId as string) ?? 0) > (progress as number)) problems.push(`${appId} goes back`)
    state.progress.set(appId as string, progress as number)
  }
  problems.push(...fileActionProblems(bodies('remove'), bodies('add'), state))
  return problems
}

function metadataProblems(metadata: Body, state: State): readonly string[] {
  const problems: string[] = []
  const { fields } = JSON.parse(metadata['schemaString'] as string) as { readonly fields: readonly Column[] }
  const names = fields.map(({ name }) => name.toLowerCase())
  if (new Set(names).size !== names.length) problems.push('columns differ in case only')
  for (const { name, type } of state.columns) {
    const now = fields.find((field) => field.name === name)
    if (JSON.stringify(now?.type) !== JSON.stringify(type)) problems.push(`column ${name} changed or went`)
  }
  if (state.tableId !== undefined && metadata['id'] !== state.tableId) problems.push('the id of the table changed')
  state.columns = fields
  state.tableId = metadata['id'] as string
  state.isAppendOnly = (metadata['configuration'] as Record<string, string>)['delta.appendOnly'] === 'true'
  state.partitionColumns = metadata['partitionColumns'] as string[]
  for (const name of state.partitionColumns)
    if (!names.includes(name)) problems.push(`partition column ${name} is none`)
  return problems
}

function fileActionProblems(removes: readonly Body[], adds: readonly Body[], state: State): readonly string[] {
  const problems: string[] = []
  const uris = [...removes, ...adds].map((body) => body['path'] as string)
  if (new Set(uris).size !== uris.length) problems.push('two actions on one path')
  const rows = { removed: 0, rearranged: 0 }
  for (const remove of removes) {
    const path = decodeURIComponent(remove['path'] as string)
    const live = state.files.get(path)
    if (live === undefined) problems.push(`removes ${path}, which is not there`)
    if (state.isAppendOnly && remove['dataChange'] !== false) problems.push(`removes rows of ${path}`)
    if (!Number.isInteger(remove['deletionTimestamp'])) problems.push(`does not say when it removed ${path}`)
    rows.removed += live === undefined ? 0 : statsOf(live).numRecords
    state.files.delete(path)
  }
  for (const add of adds) {
    const uri = add['path'] as string
    if (!/^[!$&'()*+,\-./0-9;=@A-Z_a-z~%]+$/.test(uri) || uri.startsWith('/'))
      problems.push(`${uri} is no relative URI`)
    const path = decodeURIComponent(uri)
    if (state.files.has(path)) problems.push(`adds ${path}, which is there`)
    const partitions = add['partitionValues'] as Record<string, string>
    if (Object.keys(partitions).join() !== state.partitionColumns.join()) problems.push(`${path}: partition values`)
    for (const value of Object.values(partitions)) {
      if (!/^\d{4}-\d\d-\d\d$/.test(value)) problems.push(`${path}: ${value} is no date`)
    }
    for (const field of ['size', 'modificationTime']) {
      if (!Number.isInteger(add[field])) problems.push(`${path}: ${field} is no number`)
    }
    if (typeof add['dataChange'] !== 'boolean') problems.push(`${path}: no dataChange`)
    if (add['dataChange'] === false) rows.rearranged += statsOf(add).numRecords
    state.files.set(path, add)
  }
  if (rows.removed !== rows.rearranged) problems.push(`${rows.rearranged} rows in the place of ${rows.removed}`)
  return problems
}

interface Stats {
  readonly numRecords: number
  readonly minValues: Readonly<Record<string, unknown>>
  readonly maxValues: Readonly<Record<string, unknown>>
  readonly nullCount: Readonly<Record<string, number>>
}

function statsOf(add: Body): Stats {
  return JSON.parse(add['stats'] as string) as Stats
}

async function fileProblems(
  connection: DuckDBConnection,
  folder: string,
  path: string,
  add: Body,
  { columns, partitionColumns }: State,
): Promise<readonly string[]> {
  const problems: string[] = []
  const file = join(folder, path)
  const found = await stat(file).catch(() => undefined)
  if (found === undefined) return ['is not there']
  if (found.size !== add['size']) problems.push(`has ${found.size} bytes, not ${add['size']}`)
  const rows = async (sql: string) => (await connection.runAndReadAll(sql)).getRowObjectsJson()
  for (const { column_name: name, column_type: type } of await rows(
    `DESCRIBE FROM read_parquet('${file}', hive_partitioning = false)`,
  )) {
    if (name === OWN_COLUMN) continue
    const column = columns.find((each) => each.name === name)
    if (column === undefined || partitionColumns.includes(column.name)) problems.push(`has column ${name}`)
    else if (parquetType(column.type) !== type) problems.push(`column ${name} is ${type}`)
  }
  const { numRecords, minValues, maxValues, nullCount } = statsOf(add)
  const conditions = Object.keys(nullCount).map((name) => {
    const column = columns.find((each) => each.name === name)!
    const bounds = [
      [minValues[name], 'min', '<='],
      [maxValues[name], 'max', '>='],
    ] as const
    const kept = bounds.map(([bound, least, order]) =>
      bound === undefined
        ? 'true'
        : `coalesce('${text(bound)}'::${parquetType(column.type)} ${order} ${least}("${name}"), true)`,
    )
    return `(count(*) - count("${name}") = ${nullCount[name]} AND ${kept.join(' AND ')}) AS "${name}"`
  })
  const [held] = await rows(
    `SELECT count(*) = ${numRecords} AS "number of rows", ${conditions.join(', ')}
     FROM read_parquet('${file}', hive_partitioning = false)`,
  )
  for (const [name, holds] of Object.entries(held!))
    if (holds !== true) problems.push(`statistics of ${name} are wrong`)
  return problems
}

function text(value: unknown): string {
  return String(value).replaceAll("'", "''")
}

function parquetType(type: Column['type']): string {
  return typeof type === 'string' ? PARQUET_TYPES[type]! : `${PARQUET_TYPES[type.elementType]}[]`
}

async function checkpointProblems(connection: DuckDBConnection, file: string): Promise<readonly string[]> {
  const [counts] = (
    await connection.runAndReadAll(
      `SELECT count(*)::INT AS total, count(protocol)::INT AS protocols, count(metaData)::INT AS metadatas,
         count(*) FILTER (add.dataChange OR remove.dataChange)::INT AS changes,
         count(*) FILTER ((add IS NULL)::INT + (remove IS NULL)::INT + (txn IS NULL)::INT + (metaData IS NULL)::INT
           + (protocol IS NULL)::INT <> 4)::INT AS mixed
       FROM read_parquet('${file}')`,
    )
  ).getRowObjects()
  const problems: string[] = []
  if (counts!['protocols'] !== 1) problems.push('not one protocol')
  if (counts!['metadatas'] !== 1) problems.push('not one metadata')
  if (counts!['changes'] !== 0) problems.push('a file action changes data')
  if (counts!['mixed'] !== 0) problems.push('a row is not one action')
  return problems
}

async function pointerProblems(
  connection: DuckDBConnection,
  folder: string,
  names: readonly string[],
): Promise<readonly string[]> {
  if (!names.includes('_last_checkpoint')) return []
  const pointer = JSON.parse(await readFile(join(folder, '_delta_log/_last_checkpoint'), 'utf8')) as Record<
    string,
    number
  >
  const name = `${String(pointer['version']).padStart(20, '0')}.checkpoint.parquet`
  if (!names.includes(name)) return [`_last_checkpoint points to ${name}, which is not there`]
  const file = join(folder, '_delta_log', name)
  const [counts] = (
    await connection.runAndReadAll(
      `SELECT count(*)::INT AS total, count(add)::INT AS adds FROM read_parquet('${file}')`,
    )
  ).getRowObjects()
  const expected = { size: counts!['total'], numOfAddFiles: counts!['adds'], sizeInBytes: (await stat(file)).size }
  return Object.entries(expected).flatMap(([field, value]) =>
    pointer[field] === value ? [] : [`_last_checkpoint says ${field} ${pointer[field]}, not ${value}`],
  )
}
