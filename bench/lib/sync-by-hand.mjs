/**
 * The baseline of a first start: bare DuckDB that writes the rows of each query as Parquet files, a folder per month.
 *
 * node sync-by-hand.mjs <folder> <sql>...: two threads and 1 GiB, as the server's long jobs have by default.
 */
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'

const [folder, ...queries] = process.argv.slice(2)
const instance = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '1GiB' })
const connection = await instance.connect()
for (const [index, sql] of queries.entries()) {
  const rows = `SELECT *, date_trunc('month', event_timestamp)::DATE AS event_date FROM (${sql})`
  const target = join(folder, `view-${index}`)
  await connection.run(`COPY (${rows}) TO '${target}' (FORMAT parquet, PARTITION_BY (event_date))`)
}
