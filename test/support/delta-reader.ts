/** A reader of Delta tables by the protocol alone (https://github.com/delta-io/delta/blob/master/PROTOCOL.md), for reader version 1. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface DeltaFile {
  /** Below the table's folder. */
  readonly path: string
  readonly size: number
  readonly partitionValues: Readonly<Record<string, string | null>>
  readonly stats: DeltaStats
}

export interface DeltaStats {
  readonly numRecords: number
  readonly minValues: Readonly<Record<string, unknown>>
  readonly maxValues: Readonly<Record<string, unknown>>
  readonly nullCount: Readonly<Record<string, number>>
}

export interface DeltaTable {
  readonly version: number
  readonly protocol: Readonly<Record<string, unknown>>
  readonly columns: readonly { readonly name: string; readonly type: unknown; readonly nullable: boolean }[]
  readonly partitionColumns: readonly string[]
  readonly files: readonly DeltaFile[]
  /** Names of everything in the folder that is a data file, by the log or not. */
  readonly parquetFiles: readonly string[]
}

type Action = Readonly<Record<string, Readonly<Record<string, unknown>>>>

/** Throws where the log has a gap, a line that is not one action, or no protocol or metadata. */
export async function readDeltaTable(folder: string): Promise<DeltaTable> {
  const names = (await readdir(join(folder, '_delta_log'))).sort()
  const entries = names.filter((name) => /^\d{20}\.json$/.test(name))
  entries.forEach((name, version) => {
    if (Number(name.slice(0, 20)) !== version) throw new Error(`${folder}: version ${version} is not in the log`)
  })
  if (entries.length !== names.length) throw new Error(`${folder}: more than log entries in the log: ${names}`)

  const last = new Map<string, Readonly<Record<string, unknown>>>()
  const files = new Map<string, DeltaFile>()
  for (const name of entries) {
    for (const action of await readActions(join(folder, '_delta_log', name))) {
      const [kind, body] = Object.entries(action)[0]!
      if (Object.keys(action).length !== 1) throw new Error(`${name}: not one action: ${Object.keys(action)}`)
      if (kind === 'add') files.set(pathOf(body), fileOf(body))
      else if (kind === 'remove') files.delete(pathOf(body))
      else last.set(kind, body)
    }
  }
  const metaData = last.get('metaData')
  const protocol = last.get('protocol')
  if (metaData === undefined || protocol === undefined) throw new Error(`${folder}: no protocol or no metadata`)
  const schema = JSON.parse(metaData['schemaString'] as string) as { readonly fields: DeltaTable['columns'] }
  const below = await readdir(folder, { recursive: true })
  return {
    version: entries.length - 1,
    protocol,
    columns: schema.fields,
    partitionColumns: metaData['partitionColumns'] as string[],
    files: [...files.values()],
    parquetFiles: below.filter((name) => name.endsWith('.parquet')).sort(),
  }
}

async function readActions(path: string): Promise<Action[]> {
  const lines = (await readFile(path, 'utf8')).split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Action)
}

/** Paths in the log are URIs. */
function pathOf(body: Readonly<Record<string, unknown>>): string {
  return decodeURIComponent(body['path'] as string)
}

function fileOf(body: Readonly<Record<string, unknown>>): DeltaFile {
  return {
    path: pathOf(body),
    size: body['size'] as number,
    partitionValues: body['partitionValues'] as DeltaFile['partitionValues'],
    stats: JSON.parse(body['stats'] as string) as DeltaStats,
  }
}
