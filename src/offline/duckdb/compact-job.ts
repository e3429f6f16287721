/**
 * Rewrites files of a table as one per partition, sorted as new files are (`table-writer.ts`), with the version that added
 * each row beside it.
 *
 * The rows are counted before and after, and none may be without its version: what this job gives out takes the place of files
 * that will be deleted. Memory is bounded by the session's; the sort spills.
 */
import { TwinstoreError } from '../../domain/errors.ts'
import { type CompactJob, ROW_VERSION_COLUMN, type WrittenFile } from '../table-jobs.ts'
import type { JobContext } from './job.ts'
import type { Session } from './session.ts'
import { identifier, listLiteral, literal } from './sql.ts'
import { parquetSql, ROW_VERSION, type TableColumn } from './table-sql.ts'
import { writeFiles } from './table-writer.ts'

export async function runCompact(
  session: Session,
  { columns, joinKeys, files, outputDir }: CompactJob['input'],
  context: JobContext,
): Promise<CompactJob['output']> {
  const stored = columns.map(({ name, type }) => ({ name, type: duckdbTypeOf(name, type) }))
  const paths = listLiteral(files.map((file) => file.path))
  const [counted] = await session.rows(`SELECT sum(num_rows)::BIGINT AS row_count FROM parquet_file_metadata(${paths})`)
  const rows = Number(counted!['row_count'])
  context.progress(`rewriting ${rows} rows of ${files.length} files`, 0)
  // What the log says of each file, joined by its name: a file holds neither its partition nor the version of its rows.
  const sources = files.map(
    ({ path, eventDate, addedVersion }) => `(${literal(path)}, ${literal(eventDate)}, ${addedVersion ?? 'NULL'})`,
  )
  await session.run(`CREATE TEMP TABLE sources AS
    SELECT path, CAST(event_date AS DATE) AS event_date, CAST(added_version AS BIGINT) AS added_version
    FROM (VALUES ${sources.join(', ')}) AS s(path, event_date, added_version)`)
  const kept = stored.map(({ name }) => `r.${identifier(name)}`)
  const rowsSql = `(SELECT ${kept.join(', ')}, s.event_date,
      coalesce(s.added_version, r.${ROW_VERSION_COLUMN}) AS ${ROW_VERSION_COLUMN}
    FROM (SELECT *, filename FROM ${parquetSql([...stored, ROW_VERSION], files)}) r JOIN sources s ON r.filename = s.path)`
  const layout = { columns: [...stored, ROW_VERSION], joinKeys, eventDateSql: 'event_date' }
  const written = await writeFiles(session, layout, rowsSql, outputDir)
  checkComplete(rows, written)
  return { files: written, rows }
}

function checkComplete(rows: number, written: readonly WrittenFile[]): void {
  const rowsOut = written.reduce((sum, file) => sum + file.stats.numRecords, 0)
  const unversioned = written.reduce((sum, file) => sum + (file.stats.nullCount[ROW_VERSION_COLUMN] ?? 0), 0)
  if (rowsOut === rows && unversioned === 0) return
  throw new TwinstoreError(
    'INTERNAL',
    `compaction wrote ${rowsOut} of ${rows} rows, ${unversioned} of them without their version; nothing was changed`,
  )
}

const SCALARS: Readonly<Record<string, string>> = {
  boolean: 'BOOLEAN',
  byte: 'TINYINT',
  short: 'SMALLINT',
  integer: 'INTEGER',
  long: 'BIGINT',
  float: 'FLOAT',
  double: 'DOUBLE',
  string: 'VARCHAR',
  binary: 'BLOB',
  date: 'DATE',
  timestamp: 'TIMESTAMPTZ',
}

/** A column that another engine added may have a type that none of ours has; it must survive all the same. */
function duckdbTypeOf(name: string, type: string): TableColumn['type'] {
  const item = /^array<(.+)>$/.exec(type)?.[1]
  if (item !== undefined) return `${duckdbTypeOf(name, item)}[]`
  const decimal = /^decimal\((\d+),(\d+)\)$/.exec(type)
  if (decimal) return `DECIMAL(${decimal[1]}, ${decimal[2]})`
  const scalar = SCALARS[type]
  if (scalar !== undefined) return scalar
  throw new TwinstoreError(
    'FAILED_PRECONDITION',
    `column ${name} is of Delta type ${type}, which compaction cannot carry over; another engine added it`,
  )
}
