/**
 * The commands of the README on the flights example, as a newcomer types them: a server process on an empty data folder and the
 * `twinstore` command in processes of its own. The tests are one story and run in order.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CommandResult, runCommand } from '../support/cli-process.ts'
import { openFlights, quoted } from '../support/flights-sql.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'

const dir = mkdtempSync(join(tmpdir(), 'twinstore-flights-'))
const dataDir = join(dir, 'data')
const definitions = new URL('../../examples/flights', import.meta.url).pathname
const SPINE_ROWS = 20_000

let server: ServerProcess

beforeAll(async () => {
  server = await startServerProcess({ dataDir, definitions })
  const flights = await openFlights()
  const spine = (name: string, remainder: number): Promise<void> =>
    flights.run(`COPY (SELECT date, delay, distance, origin, destination FROM flights WHERE flight % 150 = ${remainder})
      TO ${quoted(join(dir, name))} (FORMAT parquet)`)
  await spine('spine.parquet', 7)
  await spine('other.parquet', 8)
  flights.close()
})

afterAll(async () => {
  await server?.stop()
  rmSync(dir, { recursive: true, force: true })
})

function command(...args: string[]): Promise<CommandResult> {
  return runCommand([...args, '--address', server.address], dir)
}

/** The standard output of a command that must succeed. */
async function output(...args: string[]): Promise<string> {
  const { stdout, stderr, exitCode } = await command(...args)
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  return stdout
}

async function json(...args: string[]): Promise<unknown> {
  return JSON.parse(await output(...args, '--json'))
}

/** The lines of a table, its cells apart. */
function tableCells(text: string): string[][] {
  return text.split('\n').map((line) => line.trim().split(/\s{2,}/))
}

async function tables(): Promise<unknown> {
  const status = (await json('status')) as { tables: { view: string; version: number; rows: number }[] }
  return Object.fromEntries(status.tables.map(({ view, version, rows }) => [view, { version, rows }]))
}

const PAIRS = ['origin=ATL,destination=ORD', 'origin=JFK,destination=LAX']

test('an empty data folder is synced before the server is ready', async () => {
  expect(server.stderr()).toMatch(/^synced airport_daily: 39,952 rows, 229 online/m)
  expect(server.stderr()).toMatch(/^synced route_daily: 570,842 rows, 3,399 online/m)
  expect(await tables()).toEqual({
    airport_daily: { version: 1, rows: 39_952 },
    airport_status: { version: 0, rows: 0 },
    route_daily: { version: 1, rows: 570_842 },
  })
})

test('get shows a column per pair and a line per feature', async () => {
  const cells = tableCells(await output('get', 'predict_delay', ...PAIRS))
  expect(cells[0]).toEqual(['ATL ORD', 'JFK LAX'])
  expect(cells.slice(1, 18).map(([name]) => name)).toEqual([
    ...['flights', 'mean_delay', 'p90_delay', 'late_share', 'mean_distance'].map((name) => `origin_airport__${name}`),
    ...['flights', 'mean_delay', 'p90_delay', 'late_share', 'mean_distance'].map(
      (name) => `destination_airport__${name}`,
    ),
    ...['flights', 'mean_delay', 'max_delay', 'late_share'].map((name) => `route_daily__${name}`),
    'origin_status__closed',
    'origin_status__expected_delay_minutes',
    'delay_risk__risk',
  ])
  expect(cells).toContainEqual(['origin_airport__flights', '4', '184'])
  expect(cells).toContainEqual(['route_daily__max_delay', '127', '66'])
  expect(cells).toContainEqual(['origin_status__closed', '- (NOT_FOUND)', '- (NOT_FOUND)'])
})

test('get --json has values, statuses and event timestamps', async () => {
  const answer = await json('get', 'predict_delay', ...PAIRS)
  expect(answer).toMatchObject({
    fingerprint: expect.stringMatching(/^[0-9a-f]{32}$/),
    rows: [
      {
        entity: { origin: 'ATL', destination: 'ORD' },
        features: { route_daily__flights: 21, route_daily__late_share: 6 / 21, origin_status__closed: null },
        statuses: { route_daily__flights: 'PRESENT', origin_status__closed: 'NOT_FOUND' },
        event_timestamps: { route_daily: '2001-07-01T00:00:00.000Z', origin_status: null },
      },
      { entity: { origin: 'JFK', destination: 'LAX' }, features: { destination_airport__flights: 617 } },
    ],
  })
})

const CLOSED = ['write', 'airport_status', 'airport=ATL', 'closed=true', 'expected_delay_minutes=45']

test('what is written is online at once, in the history and in an export', async () => {
  expect(await output(...CLOSED)).toMatch(/^APPLIED: /)
  const cells = tableCells(await output('get', 'predict_delay', ...PAIRS))
  expect(cells).toContainEqual(['origin_status__closed', 'true', '- (NOT_FOUND)'])
  expect(cells).toContainEqual(['origin_status__expected_delay_minutes', '45', '- (NOT_FOUND)'])

  const history = tableCells(await output('history', 'airport_status', 'airport=ATL'))
  expect(history[0]).toEqual(['event timestamp', 'recorded', 'origin', 'closed', 'expected_delay_minutes'])
  expect(history[1]?.slice(2)).toEqual(['write', 'true', '45'])
  expect(history.slice(2)).toEqual([['']])

  expect(await output('export', 'airport_status', '--out', 'status.csv')).toMatch(/^status\.csv: 1 row, /)
  const [head, row, ...more] = readFileSync(join(dir, 'status.csv'), 'utf8').trimEnd().split('\n')
  expect(head).toBe('airport,event_timestamp,created_timestamp,closed,expected_delay_minutes')
  expect(row).toMatch(/^ATL,\d{4}-[^,]+Z,\d{4}-[^,]+Z,true,45\.0$/)
  expect(more).toEqual([])
})

test('a second sync adds nothing', async () => {
  const results = await json('sync')
  expect(results).toMatchObject([
    { view: 'airport_daily', rowsRead: 39_952, rowsAdded: 0, rowsOnline: 0, tableVersion: 1 },
    { view: 'route_daily', rowsRead: 570_842, rowsAdded: 0, rowsOnline: 0, tableVersion: 1 },
  ])
})

test('status shows the tables, the outbox and the cache', async () => {
  const cells = tableCells(await output('status'))
  expect(cells).toContainEqual(['offline table', 'version', 'rows', 'files', 'bytes'])
  expect(cells.find(([view]) => view === 'route_daily')?.slice(1, 3)).toEqual(['1', '570842'])
  expect(cells.find(([name]) => name === 'outbox')?.[1]).toMatch(/^0 of /)
  expect(cells.find(([name]) => name === 'cache')?.[1]).toMatch(/ hits$/)
})

function trainingSet(spine: string, out: string, ...more: string[]): string[] {
  return ['training-set', 'predict_delay', '--spine', spine, '--timestamp', 'date', '--out', out, ...more]
}

const PIN = ['--pin', 'train.parquet.pin.json']
const bytesOf = (name: string): Buffer => readFileSync(join(dir, name))

test('a training set has its pin beside it, which gives the same bytes again', async () => {
  expect(await output(...trainingSet('spine.parquet', 'train.parquet'))).toMatch(/^train\.parquet: 20,000 rows, /)
  expect(JSON.parse(bytesOf('train.parquet.pin.json').toString())).toMatchObject({
    service: 'predict_delay',
    timestampColumn: 'date',
    tables: { airport_daily: 1, airport_status: 1, route_daily: 1 },
    spine: { rows: SPINE_ROWS },
    output: { rows: SPINE_ROWS },
  })
  await output(...trainingSet('spine.parquet', 'again.parquet', ...PIN))
  expect(bytesOf('again.parquet').equals(bytesOf('train.parquet'))).toBe(true)
})

test('a pin is refused with another spine, and nothing is written', async () => {
  const { exitCode, stderr } = await command(...trainingSet('other.parquet', 'refused.parquet', ...PIN))
  expect(exitCode).toBe(4)
  expect(stderr).toMatch(/^error: this is not the spine of the pin: /)
  for (const name of ['refused.parquet', 'refused.parquet.partial', 'refused.parquet.pin.json']) {
    expect(existsSync(join(dir, name))).toBe(false)
  }
})

test('SIGTERM ends the server with 0; a restart does not sync again and has what was written', async () => {
  const late = ['airport=ATL', 'closed=false', 'expected_delay_minutes=5', '--event-time', '2001-01-15T00:00:00Z']
  expect(await output('write', 'airport_status', ...late)).toMatch(/^SUPERSEDED: /)
  await output('sync')
  expect(await server.stop()).toBe(0)

  server = await startServerProcess({ dataDir, definitions })
  expect(server.stderr()).not.toMatch(/synced/)
  expect(await tables()).toEqual({
    airport_daily: { version: 1, rows: 39_952 },
    airport_status: { version: 2, rows: 2 },
    route_daily: { version: 1, rows: 570_842 },
  })
  const cells = tableCells(await output('get', 'predict_delay', PAIRS[0]!))
  expect(cells).toContainEqual(['route_daily__flights', '21'])
  expect(cells).toContainEqual(['origin_status__expected_delay_minutes', '45'])
})

test('after the new write the manifest still gives the first bytes, and without it the training set is another', async () => {
  await output(...trainingSet('spine.parquet', 'pinned.parquet', '--pin', 'train.parquet.manifest.json'))
  expect(bytesOf('pinned.parquet').equals(bytesOf('train.parquet'))).toBe(true)
  await output(...trainingSet('spine.parquet', 'newer.parquet'))
  expect(bytesOf('newer.parquet').equals(bytesOf('train.parquet'))).toBe(false)
})

test.each([
  [['get', 'predict_dlay', 'origin=ATL,destination=ORD'], 3, 'did you mean predict_delay?'],
  [['get', 'predict_delay', 'origin=ATL'], 2, 'destination: not given'],
  [['write', 'airport_status', 'airport=ATL', 'closed=perhaps'], 2, 'closed: "perhaps" is not true or false'],
  [['export', 'airport_status', '--out', 'status.txt'], 2, 'formats are parquet, csv and arrow'],
  [['export', 'airport_status', '--out', 'nowhere/status.csv'], 3, '--out: the folder nowhere does not exist'],
  [
    ['export', 'airport_status', '--out', 'x.csv', '--table-version', 'one'],
    2,
    '--table-version: "one" is not a whole',
  ],
  [['history', 'airport_status', 'airport=ATL', '--limit', '0'], 2, '--limit: '],
  [trainingSet('nowhere/spine.parquet', 'x.parquet'), 3, 'there is no file nowhere/spine.parquet'],
])('twinstore %j fails with %i and says why', async (args, code, message) => {
  const { stdout, stderr, exitCode } = await command(...args)
  expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: code })
  expect(stderr).toMatch(/^error: /)
  expect(stderr).toContain(message)
})

test('a server that is not there is named, with how to start one', async () => {
  const { stderr, exitCode } = await runCommand(['status', '--address', '127.0.0.1:1', '--timeout', '5s'], dir)
  expect(exitCode).toBe(5)
  expect(stderr).toContain('127.0.0.1:1')
  expect(stderr).toContain('twinstore serve')
})
