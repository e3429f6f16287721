/**
 * Checkpoints of a table's log between lines of JSON and Parquet. DuckDB's maps are JSON objects on one side and Parquet maps
 * on the other, and a null struct is an absent action, so that both ways are one COPY.
 */
import { stat } from 'node:fs/promises'
import { TwinstoreError } from '../../domain/errors.ts'
import type { CheckpointReadJob, CheckpointWriteJob } from '../checkpoint-jobs.ts'
import type { Session } from './session.ts'
import { identifier, listLiteral, literal } from './sql.ts'

/** The columns of a checkpoint of the first specification ("Checkpoint Schema" in the protocol). */
const COLUMNS: Readonly<Record<string, string>> = {
  txn: 'STRUCT(appId VARCHAR, version BIGINT, lastUpdated BIGINT)',
  add: `STRUCT(path VARCHAR, partitionValues MAP(VARCHAR, VARCHAR), size BIGINT, modificationTime BIGINT,
    dataChange BOOLEAN, stats VARCHAR, tags MAP(VARCHAR, VARCHAR))`,
  remove: 'STRUCT(path VARCHAR, deletionTimestamp BIGINT, dataChange BOOLEAN)',
  metaData: `STRUCT(id VARCHAR, name VARCHAR, description VARCHAR,
    format STRUCT(provider VARCHAR, options MAP(VARCHAR, VARCHAR)), schemaString VARCHAR, partitionColumns VARCHAR[],
    configuration MAP(VARCHAR, VARCHAR), createdTime BIGINT)`,
  protocol: `STRUCT(minReaderVersion INTEGER, minWriterVersion INTEGER, readerFeatures VARCHAR[],
    writerFeatures VARCHAR[])`,
}

/** Only checkpoints of the second specification have these. */
const SECOND_SPECIFICATION = ['checkpointMetadata', 'sidecar']

const CHECKSUM_KEY = 'twinstore.crc32'

/** DuckDB reads in buffers of twice what it takes the longest line to be, so that a generous guess would cost its memory. */
const LINE_BYTES_MIN = 2 ** 20

export async function runCheckpointWrite(
  session: Session,
  { actionsFile, outputFile, lineBytesMax, checksum }: CheckpointWriteJob['input'],
): Promise<CheckpointWriteJob['output']> {
  const columns = Object.entries(COLUMNS).map(([name, type]) => `${name}: ${literal(type)}`)
  // One thread keeps the order of the lines, which the checksum is over.
  await session.run('SET threads = 1')
  await session.run(
    `COPY (FROM read_json(${literal(actionsFile)}, format = 'newline_delimited', columns = {${columns.join(', ')}},
       maximum_object_size = ${Math.max(LINE_BYTES_MIN, lineBytesMax)}))
     TO ${literal(outputFile)} (FORMAT parquet, COMPRESSION zstd, KV_METADATA {${literal(CHECKSUM_KEY)}: ${literal(checksum)}})`,
  )
  return { bytes: (await stat(outputFile)).size }
}

export async function runCheckpointRead(
  session: Session,
  { files, outputFile }: CheckpointReadJob['input'],
): Promise<CheckpointReadJob['output']> {
  const rows = `read_parquet(${listLiteral(files)}, union_by_name = true, hive_partitioning = false)`
  const described = await session.rows(`DESCRIBE FROM ${rows}`)
  const present = new Set(described.map((column) => column['column_name'] as string))
  await refuseSecondSpecification(session, rows, present)
  const columns = Object.keys(COLUMNS).filter((name) => present.has(name))
  if (columns.length === 0) throw new TwinstoreError('DATA_LOSS', 'the Parquet file has no column of a checkpoint')
  await session.run('SET threads = 1')
  await session.run(`COPY (SELECT ${columns.join(', ')} FROM ${rows}) TO ${literal(outputFile)} (FORMAT json)`)
  const [found] = await session.rows(
    `SELECT decode(value) AS checksum FROM parquet_kv_metadata(${listLiteral(files)})
     WHERE decode(key) = ${literal(CHECKSUM_KEY)}`,
  )
  return found === undefined ? {} : { checksum: found['checksum'] as string }
}

async function refuseSecondSpecification(session: Session, rows: string, present: ReadonlySet<string>): Promise<void> {
  const suspects = SECOND_SPECIFICATION.filter((name) => present.has(name)).map(
    (name) => `count(${identifier(name)}) > 0`,
  )
  if (suspects.length === 0) return
  const [counted] = await session.rows(`SELECT ${suspects.join(' OR ')} AS is_second FROM ${rows}`)
  if (counted!['is_second'] !== true) return
  throw new TwinstoreError(
    'FAILED_PRECONDITION',
    'a checkpoint of the second specification (v2Checkpoint), which is not supported; write a classic one',
  )
}
