/**
 * One append of 1,000,000 outbox rows to a table, as the archiver makes it (`OfflineStore.append` in the process of a server,
 * with its child process, the defaults of its options, fsyncs and the Delta commit), against DuckDB's COPY of the same
 * rows from one plain Parquet file to the same layout: partitioned, sorted by entity, zstd, row groups of the same size.
 *
 * The COPY has the job's memory, and one thread as the job has: with two, DuckDB loses the order within the files, which is
 * part of the layout. The plain file is written by DuckDB with its defaults; its rows are in the order of their arrival, with
 * all columns of the table.
 */
import { dirname, join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { DuckDBInstance } from '@duckdb/node-api'
import { loadConfig } from '../../dist/config/load-config.js'
import { engineSlice, offlineStoreSlice, tableSlice } from '../../dist/config/slices/offline.js'
import { systemClock } from '../../dist/lib/clock.js'
import { createProcessEngine } from '../../dist/offline/duckdb/process-engine.js'
import { openFolderObjects } from '../../dist/offline/objects/folder-objects.js'
import { openDeltaOfflineStore } from '../../dist/offline/store/delta-offline-store.js'
import { compare } from '../lib/comparison.mjs'
import { compared } from '../lib/figure-names.mjs'
import { flightBatches, flightView } from '../lib/flight-rows.mjs'
import { cpuSecondsWithChildren } from '../lib/processes.mjs'
import { temporaryFolder, withResources } from '../lib/resources.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { spread } from '../lib/spread.mjs'

export const title = 'an append of outbox rows against a COPY of the same rows'
export const suite = 'long'
export const figureNames = [...compared('', 'copy', ['seconds', 'cpu_seconds']), 'pause_ms']
const SETTINGS = { full: { rounds: 3, rows: 1_000_000 }, quick: { rounds: 1, rows: 20_000 } }
const JOB_PROCESS = new URL('../../dist/offline/duckdb/job-process.js', import.meta.url)
const JOB_HOST = new URL('../../dist/offline/duckdb/job-host.js', import.meta.url)

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  return await withResources(async (defer) => {
    const folder = temporaryFolder(defer)
    const config = loadConfig({ flags: {}, environment: {} })
    const batches = await flightBatches(settings.rows)
    const engine = createProcessEngine(
      { module: JOB_PROCESS, hostModule: JOB_HOST, spillDir: join(folder, 'spill'), ...engineSlice(config) },
      systemClock,
    )
    defer(() => engine.close())
    const append = async (name) => await appendOnce(await openStore(config, engine, join(folder, name)), batches)
    // Not measured: its rows make the plain file, and it starts the process of short jobs.
    await append('first')
    const plain = join(folder, 'plain.parquet')
    const rowGroup = await writePlain(join(folder, 'first'), plain)
    let turn = 0
    const pauses = []
    const rounds = await takeTurns(
      {
        append: async () => {
          const { pauseMs, ...times } = await append(`append-${++turn}`)
          pauses.push(pauseMs)
          return times
        },
        copy: async () => await copyOnce(config, plain, join(folder, `copy-${++turn}`), rowGroup),
      },
      settings.rounds,
    )
    const { rows, figures } = compare(rounds, 'append', 'copy')
    const pause = spread(pauses)
    return {
      settings,
      figures: { ...figures(''), pause_ms: pause },
      head: ['rows', 'what', 'seconds', 'CPU seconds', 'longest pause of the event loop, ms'],
      rows: rows(settings.rows.toLocaleString('en'), ['seconds', 'cpu_seconds']).map((row, index) =>
        index === 0 ? [...row, pause] : row,
      ),
    }
  })
}

async function openStore(config, engine, dir) {
  const store = openDeltaOfflineStore({
    objects: await openFolderObjects(dir),
    engine,
    engineName: 'bench',
    resolveSource: async () => '',
    table: { clock: systemClock, engineInfo: 'bench', ...tableSlice(config) },
    spoolDir: join(dir, '.spool'),
    ...offlineStoreSlice(config),
  })
  await store.prepare(flightView)
  return store
}

async function appendOnce(store, batches) {
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  const { result, ...times } = await timed(() => store.append(flightView, batches))
  delay.disable()
  const { rowsAdded } = result
  const expected = batches.reduce((sum, { entries }) => sum + entries.length, 0)
  if (rowsAdded !== expected) throw new Error(`the append added ${rowsAdded} rows, not ${expected}`)
  return { ...times, pauseMs: delay.max / 1e6 }
}

/** The children's processor time too: jobs run in one. */
async function timed(work) {
  const [begin, cpuBegin] = [performance.now(), cpuSecondsWithChildren()]
  const result = await work()
  return { result, seconds: (performance.now() - begin) / 1000, cpu_seconds: cpuSecondsWithChildren() - cpuBegin }
}

async function openDuckdb(folder, memory, threads) {
  const settings = { memory_limit: memory, threads, temp_directory: join(folder, 'spill') }
  const connection = await (await DuckDBInstance.create(':memory:', settings)).connect()
  await connection.run("SET TimeZone = 'UTC'")
  return connection
}

/** Gives the rows of a row group of the table's files. */
async function writePlain(tableDir, file) {
  const connection = await openDuckdb(dirname(file), '2GiB', '2')
  await connection.run(
    `COPY (SELECT * FROM read_parquet('${tableDir}/**/*.parquet', hive_partitioning = false) ORDER BY write_position)
     TO '${file}' (FORMAT parquet)`,
  )
  const reader = await connection.runAndReadAll(
    `SELECT max(row_group_num_rows)::INTEGER FROM parquet_metadata('${tableDir}/**/*.parquet')`,
  )
  connection.closeSync()
  return reader.getRows()[0][0]
}

async function copyOnce(config, plain, outputDir, rowGroup) {
  const connection = await openDuckdb(dirname(plain), `${config['offline-short-memory']}B`, '1')
  const copy = `COPY (SELECT *, CAST(date_trunc('month', event_timestamp AT TIME ZONE 'UTC') AS DATE) AS event_date
       FROM '${plain}' ORDER BY flight, event_timestamp, write_position)
     TO '${outputDir}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${rowGroup}, WRITE_BLOOM_FILTER false,
       PARTITION_BY (event_date))`
  const { result: _, ...times } = await timed(() => connection.run(copy))
  connection.closeSync()
  return times
}
