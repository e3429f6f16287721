/** Exports of a view's table against the rows it holds, in every format. */
import { readFile } from 'node:fs/promises'
import { tableFromIPC } from 'apache-arrow'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ExportJob } from '../../src/offline/dataset-jobs.ts'
import { literal, timestampLiteral } from '../../src/offline/duckdb/sql.ts'
import type { DataFile } from '../../src/offline/table-jobs.ts'
import { openWorkbench, testView, type Workbench } from './training-set-fixture.ts'

const DAY = 86_400_000_000
const START = Date.UTC(2001, 0, 1) * 1000

const visits = testView('visits', { id: 'int64', shop: 'string' }, [
  { name: 'count', type: { kind: 'int64' } },
  { name: 'tags', type: { kind: 'list', of: 'string' } },
])

interface Visit {
  readonly id: number
  readonly shop: string
  readonly day: number
  readonly position: number
}

/** Six entities on five days; on the last day each has two versions. Listed in the order of an export. */
const stored: readonly Visit[] = [1, 2, 3].flatMap((id) =>
  ["o'hare", 'Ärzte'].flatMap((shop) =>
    [0, 1, 2, 3, 4, 4].map((day, index) => ({ id, shop, day, position: id * 100 + index })),
  ),
)

let bench: Workbench
let files: DataFile[]
beforeAll(async () => {
  bench = await openWorkbench()
  const row = ({ id, shop, day, position }: Visit) => {
    const at = timestampLiteral(START + day * DAY)
    return [
      String(id),
      literal(shop),
      String(position * 2),
      `['a"b', ${literal(shop)}]`,
      at,
      at,
      String(position),
      "'write'",
      '1',
      'NULL',
    ]
  }
  const shuffled = stored.toSorted((a, b) => ((a.position * 7) % 11) - ((b.position * 7) % 11))
  files = [
    await bench.tableFile(visits, 'a.parquet', shuffled.filter((_, index) => index % 2 === 0).map(row)),
    await bench.tableFile(visits, 'b.parquet', shuffled.filter((_, index) => index % 2 === 1).map(row)),
  ]
})
afterAll(() => bench.close())

function input(more: Partial<ExportJob['input']> = {}): ExportJob['input'] {
  const format = more.format ?? 'parquet'
  return { table: { view: visits, files }, format, outputFile: bench.path(`export.${format}`), ...more }
}

/** The exported rows as the model above has them. */
async function exported(more: Partial<ExportJob['input']>): Promise<Visit[]> {
  const columns = ['id', 'shop', 'event_timestamp', 'write_position']
  const made = await bench.export(input({ columns, ...more }))
  const rows = await bench.session.rows(
    `SELECT *, epoch_us(event_timestamp) AS at FROM read_parquet(${literal(made.path)})`,
  )
  expect(made.rows).toBe(rows.length)
  return rows.map((row) => ({
    id: Number(row['id']),
    shop: String(row['shop']),
    day: (Number(row['at']) - START) / DAY,
    position: Number(row['write_position']),
  }))
}

test('all rows come in order of (join keys, event timestamp, write position)', async () => {
  expect(await exported({})).toEqual(stored)
})

test('the range includes its beginning and excludes its end', async () => {
  const range = { fromMicros: START + DAY, untilMicros: START + 3 * DAY }
  expect(await exported(range)).toEqual(stored.filter((row) => row.day === 1 || row.day === 2))
})

test('entities are whole keys, quotes and other letters included', async () => {
  const entities = [
    ['1', "o'hare"],
    ['3', 'Ärzte'],
    ['2', 'nowhere'],
  ]
  const wanted = (row: Visit) => entities.some(([id, shop]) => id === String(row.id) && shop === row.shop)
  expect(await exported({ entities })).toEqual(stored.filter(wanted))
  expect(await exported({ entities: [] })).toEqual([])
})

test('latestOnly gives the greatest version of each entity in the range', async () => {
  expect(await exported({ latestOnly: true })).toEqual(
    stored.filter((row) => row.day === 4 && row.position % 100 === 5),
  )
  const range = { latestOnly: true, untilMicros: START + 2 * DAY }
  expect(await exported(range)).toEqual(stored.filter((row) => row.day === 1))
})

test('without columns: join keys, timestamps and features; an unknown one is named with the nearest', async () => {
  const made = await bench.export(input())
  expect(made.columns).toEqual([
    { name: 'id', type: 'BIGINT' },
    { name: 'shop', type: 'VARCHAR' },
    { name: 'event_timestamp', type: 'TIMESTAMP WITH TIME ZONE' },
    { name: 'created_timestamp', type: 'TIMESTAMP WITH TIME ZONE' },
    { name: 'count', type: 'BIGINT' },
    { name: 'tags', type: 'VARCHAR[]' },
  ])
  await expect(bench.export(input({ columns: ['conut'] }))).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('view visits has no column conut; did you mean count?'),
  })
})

test('CSV: a header, ISO 8601 in UTC, lists as JSON', async () => {
  const made = await bench.export(input({ format: 'csv', entities: [['1', "o'hare"]], untilMicros: START + DAY }))
  expect(await readFile(made.path, 'utf8')).toBe(
    [
      'id,shop,event_timestamp,created_timestamp,count,tags',
      `1,o'hare,2001-01-01T00:00:00.000000Z,2001-01-01T00:00:00.000000Z,200,"[""a\\""b"",""o'hare""]"`,
      '',
    ].join('\n'),
  )
})

test.each(['parquet', 'csv', 'arrow', 'rows'] as const)(
  '%s: the same bytes at any thread count and file order',
  async (format) => {
    const digests = new Set<string>()
    for (const threads of [1, 2]) {
      for (const order of [files, files.toReversed()]) {
        const made = await bench.export(input({ format, table: { view: visits, files: order } }), threads)
        expect(made.rows).toBe(stored.length)
        digests.add(made.sha256)
      }
    }
    expect(digests.size).toBe(1)
  },
)

test('a table without files exports its columns and no rows, in every format', async () => {
  const empty = { view: visits, files: [] }
  for (const format of ['parquet', 'csv', 'arrow', 'rows'] as const) {
    expect(await bench.export(input({ format, table: empty }))).toMatchObject({ rows: 0 })
  }
  const table = tableFromIPC(await readFile(bench.path('export.arrow')))
  expect(table.schema.names).toEqual(['id', 'shop', 'event_timestamp', 'created_timestamp', 'count', 'tags'])
})

test('columns can have other names in the data set', async () => {
  const made = await bench.export(
    input({ columns: ['shop', 'id', 'count'], rename: { shop: 'destination', id: 'visitor' }, format: 'csv' }),
  )
  expect(made.columns.map((column) => column.name)).toEqual(['destination', 'visitor', 'count'])
  expect((await readFile(made.path, 'utf8')).split('\n')[0]).toBe('destination,visitor,count')
})
