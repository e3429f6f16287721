/** `twinstore training-set` given what cannot work: what it says, and that nothing half written stays, neither here nor at the server. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { literal } from '../../src/offline/duckdb/sql.ts'
import { runCommand } from '../support/cli-process.ts'
import { type BadInputServer, startBadInputServer } from './bad-input-fixture.ts'
import { openWorkbench, type Workbench } from './training-set-fixture.ts'

let server: BadInputServer
let bench: Workbench
beforeAll(async () => {
  server = await startBadInputServer(['--log-level', 'error'])
  bench = await openWorkbench()
  await server.client.writeFeatures('stock', [{ item: 'a', shop: 1n, on_hand: 4n }], { ack: 'BOTH' })
})
afterAll(async () => {
  await bench.close()
  await server.close()
})

const HERE = ['item,shop,ts', 'a,1,2030-01-01', 'b,2,2030-01-01'].join('\n')

async function trainingSet(spine: string) {
  const args = ['stock_only', '--spine', spine, '--timestamp', 'ts', '--out', 'out.parquet']
  const result = await runCommand(['training-set', ...args, '--address', server.process.address], bench.dir)
  const outputs = readdirSync(bench.dir).filter((name) => name.startsWith('out.'))
  return { ...result, outputs: outputs.sort(), atServer: spooledFiles() }
}

/** What the server holds of spines, parts and results. */
function spooledFiles(): string[] {
  const files = readdirSync(server.dataDir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return files
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => /\/(spool|spill)\/|spine-/.test(path))
}

async function parquetSpine(name: string, select: string): Promise<string> {
  await bench.session.run(`COPY (${select}) TO ${literal(bench.path(name))} (FORMAT parquet)`)
  return name
}

const PARQUET_ROWS = "SELECT 'a' AS item, range AS shop, TIMESTAMP '2030-01-01' AS ts FROM range(5000)"

const SPINES: readonly (readonly [what: string, make: () => string | Promise<string>, message: RegExp])[] = [
  [
    'a spine without its timestamp column',
    () => written('none.csv', 'item,shop,tss\na,1,2030-01-01\n'),
    /^error: the spine does not fit the service:\n {2}ts: missing, .*did you mean tss\?/,
  ],
  [
    'a spine whose timestamps are null',
    () =>
      parquetSpine(
        'null.parquet',
        `SELECT * REPLACE (CASE WHEN shop < 2 THEN NULL ELSE ts END AS ts) FROM (${PARQUET_ROWS})`,
      ),
    /^error: the spine has rows that cannot be joined:\n {2}ts: 2 of 5000 rows have no timestamp/,
  ],
  [
    'join keys of wrong types',
    () => parquetSpine('keys.parquet', `SELECT 1 AS item, 'x' AS shop, ts FROM (${PARQUET_ROWS})`),
    /^error: the spine does not fit the service:\n {2}item: expected .*VARCHAR.*, got INTEGER\n {2}shop: expected .*BIGINT.*, got VARCHAR/,
  ],
  ['a CSV file with a header alone', () => written('header.csv', 'item,shop,ts\n'), /^error: the spine has no rows/],
  [
    'a Parquet file without rows',
    () => parquetSpine('empty.parquet', `${PARQUET_ROWS} LIMIT 0`),
    /^error: the spine has no rows/,
  ],
  ['a file without bytes', () => written('nothing.csv', ''), /^error: no spine: /],
  [
    'a Parquet file that was cut short',
    async () => {
      const whole = readFileSync(bench.path(await parquetSpine('whole.parquet', PARQUET_ROWS)))
      return written('cut.parquet', whole.subarray(0, -100))
    },
    /^error: the spine: .*(No magic bytes|too small)/,
  ],
  [
    'a Parquet file with damage in its middle',
    async () => {
      const damaged = readFileSync(bench.path(await parquetSpine('whole.parquet', PARQUET_ROWS)))
      damaged.fill(0xff, 4, 600)
      return written('damaged.parquet', damaged)
    },
    /^error: the spine: /,
  ],
]

function written(name: string, content: string | Buffer): string {
  writeFileSync(bench.path(name), content)
  return name
}

test.each(SPINES)('%s', { timeout: 30_000 }, async (_, make, message) => {
  const { exitCode, stderr, outputs, atServer } = await trainingSet(await make())
  expect(stderr).toMatch(message)
  expect(stderr).not.toMatch(/\n\s+at /)
  expect([exitCode, outputs, atServer]).toEqual([2, [], []])
})

test('a data file of a table that was cut short is named; when it is whole again the same command works', {
  timeout: 30_000,
}, async () => {
  const spine = written('good.csv', HERE)
  const offline = join(server.dataDir, 'offline')
  const name = readdirSync(offline, { recursive: true, encoding: 'utf8' }).find((path) => path.endsWith('.parquet'))!
  const whole = readFileSync(join(offline, name))
  writeFileSync(join(offline, name), whole.subarray(0, -50))
  const refused = await trainingSet(spine)
  expect(refused.stderr).toContain(`${name} has ${whole.length - 50} bytes, its table's log says ${whole.length}`)
  expect(refused.stderr).toContain('restore it from a backup')
  expect([refused.exitCode === 0, refused.outputs, refused.atServer]).toEqual([false, [], []])
  writeFileSync(join(offline, name), whole)
  const made = await trainingSet(spine)
  expect(made.stdout).toMatch(/^out\.parquet: 2 rows, /)
  expect(made.outputs).toEqual(['out.parquet', 'out.parquet.manifest.json', 'out.parquet.pin.json'])
  expect(made.atServer).toEqual([])
  const manifest = JSON.parse(readFileSync(bench.path('out.parquet.manifest.json'), 'utf8'))
  const pin = JSON.parse(readFileSync(bench.path('out.parquet.pin.json'), 'utf8'))
  expect(manifest).toMatchObject({ ...pin, features: [{ column: 'stock__on_hand' }, { column: 'stock__on_order' }] })
  // Row b has none, and one of the features a default.
  expect(manifest.features.map((feature: { nullRate: number }) => feature.nullRate)).toEqual([0.5, 0])
})
