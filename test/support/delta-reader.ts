/**
 * A reader of Delta tables by the protocol alone (https://github.com/delta-io/delta/blob/master/PROTOCOL.md), for reader version 1.
 * It shares no code with Twinstore, and holds its checkpoints against its log.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'

export interface DeltaFile {
  /** Below the table's folder. */
  readonly path: string
  readonly size: number
  readonly partitionValues: Readonly<Record<string, string | null>>
  readonly stats: DeltaStats
  readonly tags: Readonly<Record<string, string>>
}

export interface DeltaStats {
  readonly numRecords: number
  readonly minValues: Readonly<Record<string, unknown>>
  readonly maxValues: Readonly<Record<string, unknown>>
  readonly nullCount: Readonly<Record<string, number>>
}

export interface DeltaTable {
  readonly version: number
  /** Versions that there are checkpoints of. */
  readonly checkpoints: readonly number[]
  readonly protocol: Readonly<Record<string, unknown>>
  readonly columns: readonly { readonly name: string; readonly type: unknown; readonly nullable: boolean }[]
  readonly partitionColumns: readonly string[]
  readonly files: readonly DeltaFile[]
  /** Names of everything in the folder that is a data file, by the log or not. */
  readonly parquetFiles: readonly string[]
}

type Body = Readonly<Record<string, unknown>>
type Action = Readonly<Record<string, Body | null>>

/**
 * The newest version, from the log's entries alone. Throws where the log has a gap, a line that is not one action, a file that is
 * neither entry nor checkpoint, or no protocol or metadata; and where a checkpoint is not what the entries up to it say.
 */
export async function readDeltaTable(folder: string): Promise<DeltaTable> {
  const names = (await readdir(join(folder, '_delta_log'))).sort()
  const entries = names.filter((name) => /^\d{20}\.json$/.test(name))
  const checkpoints = names.filter((name) => /^\d{20}\.checkpoint\.parquet$/.test(name))
  const others = names.filter((name) => ![...entries, ...checkpoints, '_last_checkpoint'].includes(name))
  if (others.length > 0) throw new Error(`${folder}: not a file of a log: ${others}`)

  const state = new TableState()
  for (const [version, name] of entries.entries()) {
    if (Number(name.slice(0, 20)) !== version) throw new Error(`${folder}: version ${version} is not in the log`)
    state.apply(name, await readActions(join(folder, '_delta_log', name)))
    const checkpoint = checkpoints.find((other) => other.startsWith(name.slice(0, 20)))
    if (checkpoint !== undefined) await compareCheckpoint(join(folder, '_delta_log', checkpoint), state)
  }
  const metaData = state.last.get('metaData')
  const protocol = state.last.get('protocol')
  if (metaData === undefined || protocol === undefined) throw new Error(`${folder}: no protocol or no metadata`)
  const schema = JSON.parse(metaData['schemaString'] as string) as { readonly fields: DeltaTable['columns'] }
  const below = await readdir(folder, { recursive: true })
  return {
    version: entries.length - 1,
    checkpoints: checkpoints.map((name) => Number(name.slice(0, 20))),
    protocol,
    columns: schema.fields,
    partitionColumns: metaData['partitionColumns'] as string[],
    files: [...state.files.values()],
    parquetFiles: below.filter((name) => name.endsWith('.parquet') && !name.startsWith('_delta_log')).sort(),
  }
}

export interface DeltaVersion {
  /** By the statistics of its files. */
  readonly rowCount: number
  /** Rows of files that it added and that are not rearranged ones. */
  readonly addedRows: number
  /** Whether it only put rows into other files. */
  readonly isRearranged: boolean
}

/** Every version from 0 on, by the log's entries. */
export async function readVersions(folder: string): Promise<readonly DeltaVersion[]> {
  const names = (await readdir(join(folder, '_delta_log'))).filter((name) => /^\d{20}\.json$/.test(name)).sort()
  const state = new TableState()
  const versions: DeltaVersion[] = []
  for (const name of names) {
    const actions = await readActions(join(folder, '_delta_log', name))
    state.apply(name, actions)
    const added = actions.flatMap(({ add }) => (add?.['dataChange'] === true ? [fileOf(add)] : []))
    versions.push({
      rowCount: rowsIn(state.files.values()),
      addedRows: rowsIn(added),
      isRearranged: actions.some(({ remove }) => remove?.['dataChange'] === false),
    })
  }
  return versions
}

function rowsIn(files: Iterable<DeltaFile>): number {
  return [...files].reduce((rows, file) => rows + file.stats.numRecords, 0)
}

/** What is left of a log's actions ("Action Reconciliation"). */
class TableState {
  readonly files = new Map<string, DeltaFile>()
  readonly removed = new Set<string>()
  readonly progress = new Map<string, unknown>()
  readonly last = new Map<string, Body>()

  apply(place: string, actions: readonly Action[]): void {
    for (const action of actions) {
      const present = Object.entries(action).filter((entry): entry is [string, Body] => entry[1] !== null)
      const [kind, body] = present[0]!
      if (present.length !== 1) throw new Error(`${place}: not one action: ${Object.keys(action)}`)
      if (kind === 'add') {
        this.files.set(pathOf(body), fileOf(body))
        this.removed.delete(pathOf(body))
      } else if (kind === 'remove') {
        this.files.delete(pathOf(body))
        this.removed.add(pathOf(body))
      } else if (kind === 'txn') this.progress.set(body['appId'] as string, body['version'])
      else this.last.set(kind, body)
    }
  }
}

/** A checkpoint must hold the files, the progress, the protocol and the metadata of its version; tombstones may expire. */
async function compareCheckpoint(path: string, expected: TableState): Promise<void> {
  const found = new TableState()
  found.apply(path, await readCheckpoint(path))
  const textOf = (value: unknown) => JSON.stringify(withoutNulls(value))
  for (const [what, inCheckpoint, inLog] of [
    ['files', sortedValues(found.files), sortedValues(expected.files)],
    ['progress', sortedValues(found.progress), sortedValues(expected.progress)],
    ['protocol', found.last.get('protocol'), expected.last.get('protocol')],
    ['metadata', found.last.get('metaData'), expected.last.get('metaData')],
  ] as const) {
    if (textOf(inCheckpoint) !== textOf(inLog)) {
      throw new Error(`${path}: ${what}: ${textOf(inCheckpoint)}, the log has ${textOf(inLog)}`)
    }
  }
  const unknown = [...found.removed].filter((name) => !expected.removed.has(name))
  if (unknown.length > 0) throw new Error(`${path}: tombstones that the log does not have: ${unknown}`)
}

async function readCheckpoint(path: string): Promise<Action[]> {
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  try {
    const reader = await connection.runAndReadAll(`SELECT to_json(c)::VARCHAR AS action FROM '${path}' AS c`)
    return reader.getRowObjects().map((row) => JSON.parse(row['action'] as string) as Action)
  } finally {
    connection.closeSync()
  }
}

function sortedValues(map: ReadonlyMap<string, unknown>): readonly (readonly [string, unknown])[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** An absent field of JSON is a null column in Parquet, and the fields of either come in any order. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).filter(([, field]) => field !== null && field !== undefined)
  return Object.fromEntries(
    fields.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, field]) => [name, withoutNulls(field)]),
  )
}

async function readActions(path: string): Promise<Action[]> {
  const lines = (await readFile(path, 'utf8')).split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Action)
}

/** Paths in the log are URIs. */
function pathOf(body: Body): string {
  return decodeURIComponent(body['path'] as string)
}

function fileOf(body: Body): DeltaFile {
  return {
    path: pathOf(body),
    size: body['size'] as number,
    partitionValues: body['partitionValues'] as DeltaFile['partitionValues'],
    stats: JSON.parse((body['stats'] as string | undefined | null) ?? 'null') as DeltaStats,
    tags: (body['tags'] ?? {}) as DeltaFile['tags'],
  }
}
