/**
 * The replenishment example: what a planner is recommended online and what the batch over all articles recommends are the same
 * numbers, before and after a change of the settings. One server, as its README starts it; the tests run in order.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, type DatasetStream, type TwinstoreClient } from '../../src/client/index.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'

const dir = mkdtempSync(join(tmpdir(), 'twinstore-replenishment-'))
const example = new URL('../../examples/replenishment', import.meta.url).pathname
const run = promisify(execFile)

const OUTPUTS = ['safety_stock', 'reorder_point', 'order_quantity', 'order_cost']

type Stock = Readonly<Record<'sku' | 'partner', string> & Record<'on_hand' | 'on_order', number>>

let server: ServerProcess
let client: TwinstoreClient
let stocks: readonly Stock[]

beforeAll(async () => {
  server = await startServerProcess({ dataDir: join(dir, 'data'), definitions: example })
  client = connect(server.address)
  await run(process.execPath, [join(example, 'scripts/load-settings.mjs'), server.address])
  const sold = await rowsOf(await client.exportFeatures({ view: 'partner_demand', latestOnly: true }))
  stocks = sold.map(({ sku, partner }, index) => ({
    sku: String(sku),
    partner: String(partner),
    on_hand: (index * 37) % 400,
    on_order: index % 3 === 0 ? 24 : 0,
  }))
})

afterAll(async () => {
  client?.close()
  await server?.stop()
  rmSync(dir, { recursive: true, force: true })
})

/** The rows of a data set, read from its Parquet file: doubles as they are, bit for bit. */
async function rowsOf(dataset: DatasetStream): Promise<readonly Record<string, unknown>[]> {
  const pieces: Buffer[] = []
  for await (const piece of dataset) pieces.push(piece)
  const file = join(dir, 'dataset.parquet')
  writeFileSync(file, Buffer.concat(pieces))
  const connection = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect()
  try {
    const query = `SELECT * EXCLUDE file_row_number FROM read_parquet('${file}', file_row_number = true) ORDER BY file_row_number`
    return (await connection.runAndReadAll(query)).getRowObjects()
  } finally {
    connection.closeSync()
  }
}

async function online(): Promise<readonly unknown[][]> {
  const { rows } = await client.getFeatures({ service: 'replenishment_plan', entities: stocks })
  return rows.map(({ values }) => OUTPUTS.map((name) => values[`replenishment__${name}`]))
}

/** The same from the history, by a training set whose spine is every article at every partner now. */
async function batch(): Promise<readonly unknown[][]> {
  // The millisecond after: a row's event timestamp has microseconds.
  const at = new Date(Date.now() + 1).toISOString()
  const lines = stocks.map(({ sku, partner, on_hand, on_order }) => `${sku},${partner},${on_hand},${on_order},${at}\n`)
  const dataset = await client.trainingSet({
    service: 'replenishment_plan',
    spine: Readable.from([Buffer.from(`sku,partner,on_hand,on_order,at\n${lines.join('')}`)]),
    spineFormat: 'csv',
    timestampColumn: 'at',
  })
  const rows = await rowsOf(dataset)
  return rows.map((row) => OUTPUTS.map((name) => row[`replenishment__${name}`]))
}

/** Doubles are the same only with the same bits: `toEqual` tells 0 from -0, and rounds nothing. */
async function expectSame(): Promise<readonly unknown[][]> {
  const served = await online()
  expect(await batch()).toEqual(served)
  return served
}

const PLANNED = { sku: 'SKU-033', partner: 'west' }
const plannedIndex = (): number => stocks.findIndex(({ sku, partner }) => sku === 'SKU-033' && partner === 'west')

/** Writes one setting, the others as they are. */
async function change(settings: Record<string, number>, eventTimestamp?: Date): Promise<void> {
  const { rows } = await client.getFeatures({ features: ['inventory_settings:*'], entities: [PLANNED] })
  const current = Object.fromEntries(
    Object.entries(rows[0]!.values).map(([name, value]) => [name.split('__')[1]!, value]),
  )
  const at = eventTimestamp === undefined ? {} : { event_timestamp: eventTimestamp }
  await client.writeFeatures('inventory_settings', [{ ...PLANNED, ...current, ...settings, ...at }])
}

test('every article at every partner has the same recommendation online and in the batch', async () => {
  expect(stocks).toHaveLength(480)
  const served = await expectSame()
  const quantities = served.map((values) => Number(values[2]))
  expect(quantities.filter((quantity) => quantity > 0).length).toBeGreaterThan(100)
  expect(quantities.filter((quantity) => quantity === 0).length).toBeGreaterThan(100)
})

test("a planner's change is in the next answer and in the next batch, and touches nothing else", async () => {
  const before = await online()
  await change({ service_level: 0.99, lead_time_days: 30 })
  const after = await expectSame()
  const changed = after.flatMap((values, index) =>
    values.every((value, at) => value === before[index]![at]) ? [] : [index],
  )
  expect(changed).toEqual([plannedIndex()])
  expect(Number(after[plannedIndex()]![1])).toBeGreaterThan(Number(before[plannedIndex()]![1]))
})

test('a change that comes late, as of last week, changes neither', async () => {
  const before = await online()
  await change({ service_level: 0.5 }, new Date(Date.now() - 7 * 86_400_000))
  expect(await expectSame()).toEqual(before)
})

test('a setting that makes no sense leaves its own article without a recommendation, and the batch goes on', async () => {
  const before = await online()
  await change({ service_level: 1.5 })
  const after = await expectSame()
  expect(after[plannedIndex()]).toEqual([null, null, null, null])
  expect(after.toSpliced(plannedIndex(), 1)).toEqual(before.toSpliced(plannedIndex(), 1))
})

test('the script of the README finds the same', async () => {
  const script = join(example, 'scripts/what-if.mjs')
  const { stdout } = await run(process.execPath, [script, 'SKU-033', 'west', 'service_level=0.9', server.address])
  expect(stdout.match(/480 of 480 recommendations are equal/g)).toHaveLength(2)
})
