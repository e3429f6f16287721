/**
 * Look-ups in files that were not verified as a whole: which row groups can hold the rows, found in the files' footers, and
 * whether those parts are sound.
 *
 * A file's footer says where each row group is and between which keys its rows are; rows are sorted by key, so that an entity
 * is in one or two groups. The blocks of the footer are verified before it is believed, then those of the row groups that can
 * match. DuckDB reads no others: it leaves out a row group on the same statistics. So all that reaches an answer
 * has been verified, and what has not cannot reach one. The cost: what a look-up needs is read twice, the second time from
 * the page cache.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { TwinstoreError } from '../../domain/errors.ts'
import type { FeatureView } from '../../domain/registry.ts'
import { isSound } from '../../lib/block-checksums.ts'
import type { TableScan, UnverifiedFile } from '../table-jobs.ts'
import type { Session } from './session.ts'
import { listLiteral, literal } from './sql.ts'

/** A Parquet file ends with its footer, the footer's length as a little-endian u32, and `PAR1`. */
const TAIL_BYTES = 8

/**
 * The scan without the files that hold no row of the entities. The parts of the others that a query for
 * these entities reads are sound; DATA_LOSS naming the file if one is not. Files verified before are left as they are.
 *
 * `entities`: join-key values in canonical order; an int64 as a decimal string.
 */
export async function soundParts(
  session: Session,
  table: TableScan,
  entities: readonly (readonly string[])[],
): Promise<TableScan> {
  const unverified = new Map(table.files.flatMap((file) => (file.unverified ? [[file.path, file.unverified]] : [])))
  if (unverified.size === 0) return table
  for (const [path, file] of unverified) await verifyFooter(path, file)
  const found = await rowGroups(session, table.view, [...unverified.keys()], entities)
  for (const [path, ranges] of found) await verifyRanges(path, unverified.get(path)!, ranges)
  return { ...table, files: table.files.filter(({ path }) => !unverified.has(path) || found.has(path)) }
}

interface ByteRange {
  readonly from: number
  readonly until: number
}

/** Where the row groups are that can hold a row of the entities, by file; a file without any is left out. */
async function rowGroups(
  session: Session,
  view: FeatureView,
  paths: readonly string[],
  entities: readonly (readonly string[])[],
): Promise<ReadonlyMap<string, readonly ByteRange[]>> {
  const matching = entities.map((entity) => `(${matchSql(view, entity)})`).join(' OR ')
  const bounds = view.joinKeys.map(
    ({ name }, index) =>
      `max(stats_min_value) FILTER (path_in_schema = ${literal(name)}) AS min_${index},
       max(stats_max_value) FILTER (path_in_schema = ${literal(name)}) AS max_${index}`,
  )
  const rows = await session.rows(
    `WITH chunks AS (
       SELECT *, CASE WHEN dictionary_page_offset > 0 THEN least(dictionary_page_offset, data_page_offset)
         ELSE data_page_offset END AS chunk_offset
       FROM parquet_metadata(${listLiteral(paths)})
     ), groups AS (
       SELECT file_name, row_group_id, min(chunk_offset) AS first_byte, max(chunk_offset + total_compressed_size) AS end_byte,
         min(bloom_filter_offset) AS first_filter_byte, max(bloom_filter_offset + bloom_filter_length) AS end_filter_byte,
         ${bounds.join(', ')}
       FROM chunks GROUP BY file_name, row_group_id
     ) SELECT * FROM groups WHERE ${matching === '' ? 'false' : matching} ORDER BY file_name, row_group_id`,
  )
  const found = new Map<string, ByteRange[]>()
  for (const row of rows) {
    const path = row['file_name'] as string
    const ranges = found.get(path) ?? []
    found.set(path, ranges)
    ranges.push({ from: Number(row['first_byte']), until: Number(row['end_byte']) })
    if (row['first_filter_byte'] === null || row['end_filter_byte'] === null) continue
    ranges.push({ from: Number(row['first_filter_byte']), until: Number(row['end_filter_byte']) })
  }
  return found
}

/** Whether a row group with the bounds `min_<n>` and `max_<n>` of its keys can hold the entity; unknown bounds can. */
function matchSql(view: FeatureView, entity: readonly string[]): string {
  return view.joinKeys
    .map((key, index) => {
      if (key.type === 'int64') {
        const value = `CAST(${literal(entity[index]!)} AS BIGINT)`
        return `coalesce(TRY_CAST(min_${index} AS BIGINT) <= ${value}, true) AND coalesce(TRY_CAST(max_${index} AS BIGINT) >= ${value}, true)`
      }
      const value = literal(entity[index]!)
      // A long maximum may have been cut: what begins so may lie below the uncut one.
      return `coalesce(min_${index} <= ${value}, true) AND coalesce(max_${index} >= ${value} OR starts_with(${value}, max_${index}), true)`
    })
    .join(' AND ')
}

async function verifyFooter(path: string, file: UnverifiedFile): Promise<void> {
  await withFile(path, async (handle, bytes) => {
    const tail = Math.max(0, bytes - TAIL_BYTES)
    await verify(handle, file, { from: tail, until: bytes })
    const { buffer } = await handle.read(Buffer.alloc(TAIL_BYTES), 0, TAIL_BYTES, tail)
    await verify(handle, file, { from: Math.max(0, tail - buffer.readUInt32LE(0)), until: tail })
  })
}

async function verifyRanges(path: string, file: UnverifiedFile, ranges: readonly ByteRange[]): Promise<void> {
  await withFile(path, async (handle) => {
    for (const range of joined(ranges)) await verify(handle, file, range)
  })
}

async function verify(handle: FileHandle, { name, checksums }: UnverifiedFile, range: ByteRange): Promise<void> {
  if (await isSound(handle, checksums, range.from, range.until)) return
  throw new TwinstoreError(
    'DATA_LOSS',
    `${name}: bytes ${range.from} to ${range.until} are not those that were written; restore it from a backup`,
  )
}

/** Neighbouring row groups share a block; it is read once. */
function joined(ranges: readonly ByteRange[]): ByteRange[] {
  const sorted = ranges.toSorted((a, b) => a.from - b.from)
  const result: ByteRange[] = []
  for (const range of sorted) {
    const last = result.at(-1)
    if (last !== undefined && range.from <= last.until) {
      result[result.length - 1] = { from: last.from, until: Math.max(last.until, range.until) }
    } else result.push(range)
  }
  return result
}

async function withFile<T>(path: string, work: (handle: FileHandle, bytes: number) => Promise<T>): Promise<T> {
  const handle = await open(path)
  try {
    return await work(handle, (await handle.stat()).size)
  } finally {
    await handle.close()
  }
}
