import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  growingRowSpoolPieces,
  rowSpoolPieces,
  rowsOfPiece,
  type SpooledRow,
  whileSpooling,
  writeRowSpool,
} from '../../src/offline/row-spool.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twinstore-spool-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function readAll(path: string, pieces = rowSpoolPieces(path)): Promise<SpooledRow[]> {
  const rows: SpooledRow[] = []
  for await (const piece of pieces) rows.push(...rowsOfPiece(piece))
  return rows
}

const NEVER = new AbortController().signal
const ROW_BYTES = 100_000

/** Of about 10 MB each. */
function batch(number: number): SpooledRow[] {
  return Array.from({ length: 100 }, (_, index) => ({
    key: `k${number}-${index}`,
    row: Buffer.alloc(ROW_BYTES, index),
  }))
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

test('all rows are read in order while they are written', async () => {
  const batches = [0, 1, 2].map(batch)
  const path = join(folder, 'growing')
  const found = await whileSpooling(path, batches, (signal) => readAll(path, growingRowSpoolPieces(path, signal)))
  expect(found.map(({ key }) => key)).toEqual(batches.flat().map(({ key }) => key))
  expect(found.every(({ row }, index) => batches.flat()[index]!.row.every((byte, at) => byte === row[at]))).toBe(true)
})

test('the end of what is there is not the end of the rows, within a row nor between two', async () => {
  const whole = join(folder, 'whole')
  const rows = ['a', 'b', 'c'].map((key) => ({ key, row: Buffer.alloc(100) }))
  await writeRowSpool(whole, [rows])
  const bytes = await readFile(whole)
  const recordBytes = bytes.length / rows.length
  for (const cut of [0, 5, recordBytes, recordBytes + 50]) {
    const path = join(folder, `part-${cut}`)
    await writeFile(path, bytes.subarray(0, cut))
    const reading = readAll(path, growingRowSpoolPieces(path, NEVER))
    await appendFile(path, bytes.subarray(cut))
    await writeFile(`${path}.size`, String(bytes.length))
    expect((await reading).map(({ key }) => key)).toEqual(['a', 'b', 'c'])
  }
})

test('a file with fewer rows than were written is an error, also when it ends between two', async () => {
  const path = join(folder, 'short')
  await writeRowSpool(path, [['a', 'b'].map((key) => ({ key, row: Buffer.alloc(100) }))])
  const { length } = await readFile(path)
  await truncate(path, length / 2)
  await expect(readAll(path, growingRowSpoolPieces(path, NEVER))).rejects.toMatchObject({
    code: 'INTERNAL',
    message: `${path} has ${length / 2} bytes where ${length} were written`,
  })
})

test('a reader that fails stops the writer, whose rows are not all taken', async () => {
  let taken = 0
  const endless = function* () {
    for (; taken < 1000; taken++) yield batch(taken)
  }
  const failing = whileSpooling(join(folder, 'unread'), endless(), async () => {
    throw new Error('the reader failed')
  })
  await expect(failing).rejects.toThrow('the reader failed')
  expect(taken).toBeLessThan(1000)
})

test('a writer that fails stops the reader, and is what is reported', async () => {
  const broken = function* () {
    yield batch(0)
    throw new Error('the rows failed')
  }
  const path = join(folder, 'broken')
  let readerError: unknown
  const failing = whileSpooling(path, broken(), (signal) =>
    readAll(path, growingRowSpoolPieces(path, signal)).catch((error) => {
      readerError = error
      throw error
    }),
  )
  await expect(failing).rejects.toThrow('the rows failed')
  expect(readerError).toMatchObject({ code: 'CANCELLED' })
})
