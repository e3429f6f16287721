/**
 * Seconds from the start of the process to the line that begins `ready`: from an empty folder, which syncs the flights,
 * and with the data there.
 *
 * Baselines: for the empty folder, the same two queries in bare DuckDB, each copied to partitioned Parquet files, in a process
 * with the same threads and memory; for the start with data, a process that loads grpc-js and listens.
 */
import { fileURLToPath } from 'node:url'
import { connect } from '../../dist/client/index.js'
import { loadDefinitions } from '../../dist/definitions/load/load.js'
import { resolveSource } from '../../dist/definitions/resolve-source.js'
import { compare } from '../lib/comparison.mjs'
import { compared } from '../lib/figure-names.mjs'
import { runScript, startStaticServer, startTwinstore } from '../lib/processes.mjs'
import { temporaryFolder, withResources } from '../lib/resources.mjs'
import { takeTurns } from '../lib/rounds.mjs'

export const title = 'from the start of the process to its ready line'
export const figureNames = compared('', 'baseline', ['empty_s', 'ready_s'])
const SETTINGS = {
  full: { rounds: 3, definitions: '../examples/flights', rows: 39_952 + 570_842 },
  quick: { rounds: 1, definitions: 'definitions/small-sync.ts', rows: 229 },
}

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  const queries = await sourceQueries(settings.definitions)
  const rounds = await takeTurns(
    { twinstore: () => starts(settings), baseline: () => baselines(queries) },
    settings.rounds,
  )
  const { rows, figures } = compare(rounds, 'twinstore', 'baseline')
  const head = ['data', 'process', 'empty folder, s', 'with data, s']
  return { settings, figures: figures(''), head, rows: rows(quick ? 'small' : 'flights', ['empty_s', 'ready_s']) }
}

/** Starts on an empty folder, stops, and starts on what is there then. */
async function starts({ definitions, rows }) {
  return await withResources(async (defer) => {
    const dataDir = temporaryFolder(defer)
    const first = await startTwinstore(defer, { definitions, dataDir })
    await expectRows(first.address, rows)
    await first.stop()
    const second = await startTwinstore(defer, { definitions, dataDir })
    await expectRows(second.address, rows)
    return { empty_s: first.readySeconds, ready_s: second.readySeconds }
  })
}

async function expectRows(address, expected) {
  const client = connect(address)
  const { tables } = await client.status()
  client.close()
  const rows = tables.reduce((sum, table) => sum + table.rows, 0)
  if (rows !== expected) throw new Error(`the start brought ${rows} rows, not ${expected}`)
}

async function baselines(queries) {
  return await withResources(async (defer) => {
    const byHand = await runScript('sync-by-hand.mjs', [temporaryFolder(defer), ...queries])
    const listening = await startStaticServer(defer)
    return { empty_s: byHand.seconds, ready_s: listening.readySeconds }
  })
}

async function sourceQueries(definitions) {
  const { draft, definitionsDir } = await loadDefinitions(fileURLToPath(new URL(`../${definitions}`, import.meta.url)))
  const sources = draft.views.flatMap((view) => view.source ?? [])
  return await Promise.all(sources.map((source) => resolveSource(source, definitionsDir)))
}
