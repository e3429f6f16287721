/** Parquet parts joined without decoding: what DuckDB reads of the result, and what is refused. */
import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { literal } from '../../src/offline/duckdb/sql.ts'
import { createParquetJoiner } from '../../src/offline/parquet/parquet-joiner.ts'
import { readStruct, writeStruct } from '../../src/offline/parquet/thrift-struct.ts'
import { openWorkbench, type Workbench } from '../integration/training-set-fixture.ts'

let bench: Workbench
beforeAll(async () => {
  bench = await openWorkbench()
})
afterAll(() => bench.close())

const COLUMNS = `n, n::INTEGER AS small, CASE WHEN n % 3 = 0 THEN NULL ELSE 'text ' || n % 100 END AS label, n % 2 = 0 AS even,
  n / 7 AS ratio, [n, NULL] AS list, {a: n, b: 'x'} AS pair, make_timestamptz(n * 1000000) AS at, 'b'::BLOB AS raw`

async function part(name: string, from: number, until: number, columns = COLUMNS): Promise<string> {
  const path = bench.path(name)
  const select = `SELECT ${columns} FROM range(${from}, ${until}) AS r(n)`
  // Bloom filters too: they lie behind the row groups, and their places move with them.
  await bench.session.run(
    `COPY (${select}) TO ${literal(path)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 2048)`,
  )
  return path
}

async function join(...parts: string[]): Promise<{ rows: number; path: string }> {
  const written: Buffer[] = []
  const joiner = createParquetJoiner(async (bytes) => {
    written.push(bytes)
  })
  for (const path of parts) await joiner.add(path)
  const path = bench.path('joined.parquet')
  const { rows } = await joiner.finish()
  await writeFile(path, Buffer.concat(written))
  return { rows, path }
}

test('the rows, statistics and row groups of all parts, in their order', async () => {
  const { rows, path } = await join(
    await part('a', 0, 5_000),
    await part('b', 5_000, 5_001),
    await part('c', 5_001, 12_000),
  )
  expect(rows).toBe(12_000)
  const differences = `FROM (SELECT ${COLUMNS} FROM range(12000) AS r(n)) EXCEPT ALL FROM read_parquet(${literal(path)})`
  expect(await bench.session.rows(differences)).toEqual([])
  const inOrder = `SELECT count(*) AS n FROM read_parquet(${literal(path)}, file_row_number = true) WHERE file_row_number <> n`
  expect(await bench.session.rows(inOrder)).toEqual([{ n: 0n }])
  const groups = await bench.session.rows(
    `SELECT DISTINCT row_group_id AS id, row_group_num_rows AS rows FROM parquet_metadata(${literal(path)}) ORDER BY id`,
  )
  expect(groups.map((group) => Number(group['rows']))).toEqual([2048, 2048, 904, 1, 2048, 2048, 2048, 855])
  // A filter that statistics and bloom filters answer finds what it should in each part.
  for (const n of [4_999, 5_000, 11_999]) {
    const found = await bench.session.rows(`SELECT small FROM read_parquet(${literal(path)}) WHERE n = ${n}`)
    expect(found).toEqual([{ small: n }])
  }
})

test('one part is written as it was, metadata included', async () => {
  const given = await part('a', 0, 5_000)
  const { path } = await join(given)
  expect((await readFile(path)).equals(await readFile(given))).toBe(true)
})

test('a part that is no Parquet file, cut short or of other columns is an error', async () => {
  const whole = await part('a', 0, 100)
  const cut = bench.path('cut')
  await writeFile(cut, (await readFile(whole)).subarray(0, -5))
  await expect(join(whole, cut)).rejects.toThrow('not a complete Parquet file')
  const other = await part('other', 0, 100, 'n AS other')
  await expect(join(whole, other)).rejects.toThrow('different schemas')
  await expect(join()).rejects.toThrow('no parts')
})

test('structs of every type are written as they were read', () => {
  const bytes = Buffer.from([
    ...[0x11, 0x12, 0x13, 0x7f, 0x14, 0xff, 0x03, 0x16, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    // A double, text, a field number too far away for the short form, lists short, long and of bools, and an inner struct.
    ...[0x17, 1, 2, 3, 4, 5, 6, 7, 8, 0x18, 2, 104, 105, 0x05, 0xc8, 0x01, 6, 0x19, 0x25, 2, 4],
    ...[0x19, 0xf5, 16, ...Array.from({ length: 16 }, (_, index) => 2 * index), 0x19, 0x21, 1, 2, 0x1c, 0x15, 8, 0, 0],
  ])
  expect(writeStruct(readStruct(bytes)).equals(bytes)).toBe(true)
  expect(() => readStruct(bytes.subarray(0, 20))).toThrow(RangeError)
})
