import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { FeatureView } from '../../src/domain/registry.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { openSession, type Session } from '../../src/offline/duckdb/session.ts'
import { tableColumns, tableSql } from '../../src/offline/duckdb/table-sql.ts'
import type { EngineLimits } from '../../src/offline/table-jobs.ts'

let folder: string
let limits: EngineLimits

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twinstore-session-'))
  limits = { memoryBytes: 200_000_000, threads: 2, spillDir: join(folder, 'spill'), spillBytesMax: 1_000_000 }
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function inSession<T>(work: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<T> {
  const session = await openSession(limits, systemClock, signal)
  try {
    return await work(session)
  } finally {
    await session.close()
  }
}

const view: FeatureView = {
  name: 'v',
  version: 1,
  entities: ['e'],
  joinKeys: [{ name: 'k', type: 'string' }],
  features: [
    { name: 'a', type: { kind: 'int64' } },
    { name: 'added', type: { kind: 'list', of: 'timestamp' } },
  ],
  schemaId: 2,
  schemaFeatureCounts: [1, 2],
  onStale: 'serve',
  partitionBy: 'day',
  online: true,
}

const columns = (rows: Session, sql: string) => rows.rows(`DESCRIBE ${sql}`)

test('a table without files has the right columns and no rows', async () => {
  await inSession(async (session) => {
    const sql = tableSql({ view, files: [] })
    const described = await columns(session, sql)
    const expected = tableColumns(view).map(({ name, type }) => [
      name,
      type.replaceAll('TIMESTAMPTZ', 'TIMESTAMP WITH TIME ZONE'),
    ])
    expect(described.map((row) => [row['column_name'], row['column_type']])).toEqual(expected)
    expect(await session.rows(sql)).toEqual([])
  })
})

test('an older file reads null for a later feature, and a partition in the path is not a column', async () => {
  await inSession(async (session) => {
    await session.run(
      `COPY (SELECT 'x' AS k, 7::BIGINT AS a, make_timestamptz(1) AS event_timestamp, make_timestamptz(2) AS created_timestamp,
         5::BIGINT AS write_position, 'write' AS write_origin, 1::INTEGER AS schema_id, NULL::VARCHAR[] AS missing_features,
         DATE '1970-01-01' AS event_date) TO '${folder}/table' (FORMAT parquet, PARTITION_BY (event_date))`,
    )
    const path = `${folder}/table/event_date=1970-01-01/data_0.parquet`
    const rows = await session.rows(tableSql({ view, files: [{ path, eventDate: '1970-01-01' }] }))
    expect(rows.map((row) => [row['k'], row['a'], row['added'], row['write_position']])).toEqual([['x', 7n, null, 5n]])
    expect(Object.keys(rows[0]!)).toEqual(tableColumns(view).map((column) => column.name))
  })
})

test('a statement beyond the memory limit and the spill limit is RESOURCE_EXHAUSTED and names the option', async () => {
  await inSession(async (session) => {
    await expect(
      session.rows("SELECT list(r || 'padding padding padding padding') FROM range(100000000) t(r)"),
    ).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED', message: expect.stringMatching(/offline-(memory|spill)/) })
  })
})

test("a fault of a user's SQL is INVALID_ARGUMENT in DuckDB's words; of our own it is INTERNAL", async () => {
  await inSession(async (session) => {
    const subject = 'the source of view v'
    await expect(session.rows('SELECT nocol FROM (SELECT 1 AS b)', { subject })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/the source of view v: .*nocol/s),
    })
    await expect(session.rows("FROM read_parquet('/nowhere.parquet')", { subject })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('/nowhere.parquet'),
    })
    await expect(session.rows('SELECT nocol FROM (SELECT 1 AS b)')).rejects.toMatchObject({ code: 'INTERNAL' })
  })
})

test('abort interrupts a running statement and refuses later ones', async () => {
  const controller = new AbortController()
  await inSession(async (session) => {
    const endless = session.rows(
      'SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE hash(a.range + b.range) = 1',
    )
    controller.abort()
    await expect(endless).rejects.toMatchObject({ code: 'CANCELLED' })
    await expect(session.rows('SELECT 1')).rejects.toMatchObject({ code: 'CANCELLED' })
  }, controller.signal)
})

test('a stream gives every row, and a closed session leaves no spill folder', async () => {
  const total = await inSession(async (session) => {
    let rows = 0
    for await (const chunk of session.stream('SELECT range FROM range(100000)')) rows += chunk.rowCount
    return rows
  })
  expect(total).toBe(100_000)
  expect(await readdir(limits.spillDir)).toEqual([])
})
