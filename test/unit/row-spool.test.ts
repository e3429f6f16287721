import { mkdtemp, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { rowSpoolPieces, rowsOfPiece, type SpooledRow, writeRowSpool } from '../../src/offline/row-spool.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twinstore-spool-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function readAll(path: string): Promise<SpooledRow[]> {
  const rows: SpooledRow[] = []
  for await (const piece of rowSpoolPieces(path)) rows.push(...rowsOfPiece(piece))
  return rows
}

test('rows of every size come back in order: none, empty ones, and ones larger than the pieces a file is read in', async () => {
  const sizes = [0, 1, 3_000_000, 5, 1_048_568, 2_097_144, 7, 9_000_000]
  const rows = sizes.map((size, index) => ({
    key: `k\xff${'é'.repeat(index * 20)}`,
    row: Buffer.alloc(size, index + 1),
  }))
  const many = Array.from({ length: 30_000 }, (_, index) => ({
    key: `key-${index}`,
    row: Buffer.alloc(index % 200, index),
  }))
  const path = join(folder, 'rows')
  await writeRowSpool(path, [rows.slice(0, 3), [], rows.slice(3), many])
  const found = await readAll(path)
  expect(found.length).toBe(rows.length + many.length)
  const differing = [...rows, ...many].filter(
    ({ key, row }, index) => found[index]!.key !== key || !row.equals(found[index]!.row),
  )
  expect(differing).toEqual([])
  await writeRowSpool(join(folder, 'empty'), [[]])
  expect(await readAll(join(folder, 'empty'))).toEqual([])
})

test('a file that was cut off is an error, never fewer rows', async () => {
  const path = join(folder, 'cut')
  await writeRowSpool(path, [[{ key: 'k', row: Buffer.alloc(100) }]])
  await truncate(path, 50)
  await expect(readAll(path)).rejects.toMatchObject({
    code: 'INTERNAL',
    message: expect.stringContaining('ends within a row'),
  })
})
