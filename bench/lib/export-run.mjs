/**
 * One export in a process of its own, whose peak memory is then that of the export: by the export job, or by hand in DuckDB.
 *
 *     node export-run.mjs '{"by": "twinstore" | "hand", "format": "parquet", "table": ..., "dir": ...}'
 *
 * By hand is the SQL that somebody with DuckDB would write over the same files: same columns, same order, same compression, same
 * threads and memory. Formats that DuckDB does not have are exported by hand as Parquet. Prints a line of JSON.
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { systemClock } from '../../dist/lib/clock.js'
import { runExport } from '../../dist/offline/duckdb/export-job.js'
import { openSession } from '../../dist/offline/duckdb/session.js'

const MEMORY_BYTES = 1024 ** 3
const THREADS = 2

async function byJob({ table, format, dir }) {
  const limits = {
    memoryBytes: MEMORY_BYTES,
    threads: THREADS,
    spillDir: join(dir, 'spill'),
    spillBytesMax: 64 * 1024 ** 3,
  }
  const session = await openSession(limits, systemClock)
  const outputFile = join(dir, `twinstore.${format}`)
  const context = { signal: new AbortController().signal, progress() {} }
  await runExport(session, { table, format, outputFile }, context)
  await session.close()
  return outputFile
}

async function byHand({ table, format, dir }) {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(THREADS),
    memory_limit: `${MEMORY_BYTES}B`,
    temp_directory: join(dir, 'spill-by-hand'),
  })
  const connection = await instance.connect()
  await connection.run("SET TimeZone = 'UTC'")
  const { joinKeys, features } = table.view
  const keys = joinKeys.map((key) => key.name).join(', ')
  const columns = [keys, 'event_timestamp', 'created_timestamp', ...features.map((feature) => feature.name)]
  const outputFile = join(dir, `hand.${format === 'csv' ? 'csv' : 'parquet'}`)
  const form = format === 'csv' ? '(FORMAT csv)' : '(FORMAT parquet, COMPRESSION zstd)'
  const files = table.files.map((file) => `'${file.path}'`).join(', ')
  await connection.run(
    `COPY (SELECT ${columns.join(', ')} FROM read_parquet([${files}], hive_partitioning = false)
     ORDER BY ${keys}, event_timestamp, write_position) TO '${outputFile}' ${form}`,
  )
  return outputFile
}

const input = JSON.parse(process.argv[2])
const begin = performance.now()
const outputFile = await (input.by === 'hand' ? byHand : byJob)(input)
const seconds = (performance.now() - begin) / 1000
const { size } = await stat(outputFile)
const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
const cpuSeconds = (userCPUTime + systemCPUTime) / 1e6
console.log(JSON.stringify({ seconds, cpuSeconds, bytes: size, peakRssMib: Math.round(maxRSS / 1024) }))
