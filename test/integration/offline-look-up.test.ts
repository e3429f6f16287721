/** Look-ups of an entity read and verify parts of files: whatever is damaged, an answer is right or names the file. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { entityKey, type Shard } from '../../src/domain/entity-key.ts'
import { TwinstoreError } from '../../src/domain/errors.ts'
import { rowValues } from '../../src/domain/row-codec.ts'
import { decodeValue } from '../../src/domain/value-codec.ts'
import { blockChecksumsOf } from '../../src/offline/delta/data-file.ts'
import { DeltaLog } from '../../src/offline/delta/delta-log.ts'
import { openFolderObjects } from '../../src/offline/objects/folder-objects.ts'
import type { ObjectStore } from '../../src/offline/objects/object-store.ts'
import type { OfflineStore } from '../../src/offline/offline-store.ts'
import { openTestStore, rowOf, sharedBench, viewOf } from './offline-store-fixtures.ts'

const DAY = 86_400_000_000
const START = Date.UTC(2024, 0, 1) * 1000
/** Names with a long common beginning: bounds that were cut short would tell none of them apart. */
const shop = (index: number) => `warehouse of the northern region ${String(index).padStart(5, '0')}`
const SHOPS = 2000
const DAYS = 12

const view = viewOf(
  { n: 'int64', noise: 'bytes' },
  {
    joinKeys: [
      { name: 'article', type: 'int64' },
      { name: 'shop', type: 'string' },
    ],
    partitionBy: 'month',
  },
)

const bench = sharedBench()
let dir: string
let objects: ObjectStore
beforeAll(async () => {
  dir = bench.newDir()
  objects = await openFolderObjects(dir)
  const entries = Array.from({ length: SHOPS * DAYS }, (_, index) => {
    const [of, day] = [index % SHOPS, Math.floor(index / SHOPS)]
    // Two months, so that a look-up reads two files; noise, so that a file is many blocks.
    const event = START + (day + 25) * DAY
    const noise = Buffer.from(Array.from({ length: 48 }, (_, at) => (index * 2654435761 + at * 40503) >>> (at % 13)))
    return rowOf(view, { key: [BigInt(of % 7), shop(of)], event, position: index + 1, values: [BigInt(index), noise] })
  })
  await open().append(view, [{ source: { storeId: 's', shard: 0 as Shard }, entries }])
}, 60_000)

/** A store that has verified nothing yet. */
function open(): OfflineStore {
  return openTestStore({
    objects,
    engine: bench.engine,
    spoolDir: join(bench.newDir(), 'spool'),
  })
}

const WANTED = 1234
const entity = [BigInt(WANTED % 7), shop(WANTED)] as const

async function history(store: OfflineStore, limit = 100) {
  const { rows, truncated } = await store.history(view, { entity, limit })
  return { values: rows.map((row) => decodeValue({ kind: 'int64' }, Buffer.from(row.values[0]!))), truncated }
}

const whole = Array.from({ length: DAYS }, (_, day) => BigInt(WANTED + (DAYS - 1 - day) * SHOPS))

async function dataFiles(): Promise<string[]> {
  const table = join(dir, 'views/v/v1')
  const names = await readdir(table, { recursive: true })
  return names.filter((name) => name.endsWith('.parquet')).map((name) => join(table, name))
}

test('a history comes from several files, and is cut at its limit with the newest rows kept', async () => {
  expect(await dataFiles()).toHaveLength(2)
  expect(await history(open())).toEqual({ values: whole, truncated: false })
  expect(await history(open(), DAYS)).toEqual({ values: whole, truncated: false })
  for (const limit of [1, 5, DAYS - 1]) {
    expect(await history(open(), limit)).toEqual({ values: whole.slice(0, limit), truncated: true })
  }
  const nobody = await open().history(view, { entity: [9n, shop(0)], limit: 10 })
  expect(nobody.rows).toEqual([])
})

test('a look-up of the latest rows needs the newest month only, and names a file that is damaged where it reads', async () => {
  const [january, february] = (await dataFiles()).sort()
  const key = entityKey(['int64', 'string'], entity)
  const latest = async (): Promise<unknown> => {
    const [row] = await open().lookUp(view, [key])
    return decodeValue({ kind: 'int64' }, rowValues(row!)[0]!)
  }
  const kept = [readFileSync(january!), readFileSync(february!)]
  rmSync(january!)
  expect(await latest()).toBe(whole[0])
  writeFileSync(february!, Buffer.from(kept[1]!.map((byte) => byte ^ 0x10)))
  await expect(latest()).rejects.toMatchObject({ code: 'DATA_LOSS' })
  writeFileSync(january!, kept[0]!)
  writeFileSync(february!, kept[1]!)
  expect(await latest()).toBe(whole[0])
})

test('a byte changed anywhere: the answer is right, or the file is named; only a small part of it matters', async () => {
  const files = await dataFiles()
  const [log] = (await new DeltaLog(objects, 'views/v/v1', 8).read(1, 1)).flatMap(({ actions }) =>
    actions.flatMap((action) => ('add' in action ? [action.add] : [])),
  )
  for (const [index, file] of files.entries()) {
    const sound = readFileSync(file)
    // Every block of one file, and some of the other.
    const step = index === 0 ? 1 : 3
    let refused = 0
    const { blockBytes } = blockChecksumsOf(log!)!
    const blocks = Math.ceil(sound.length / blockBytes)
    expect(blocks).toBeGreaterThan(20)
    for (let block = blocks - 1; block >= 0; block -= step) {
      const damaged = Buffer.from(sound)
      const at = Math.min(sound.length - 1, block * blockBytes + ((block * 7919) % blockBytes))
      damaged[at]! ^= 0x10
      writeFileSync(file, damaged)
      const seen = await history(open()).catch((error: unknown) => error)
      if (seen instanceof TwinstoreError) {
        expect(seen).toMatchObject({
          code: 'DATA_LOSS',
          message: expect.stringContaining(file.slice(file.lastIndexOf('/') + 1)),
        })
        refused++
      } else expect(seen, `byte ${at} of ${file}`).toEqual({ values: whole, truncated: false })
    }
    writeFileSync(file, sound)
    expect(refused).toBeGreaterThan(0)
    expect(refused).toBeLessThan(blocks / 2)
  }
}, 120_000)

test('an export of few entities verifies their parts; one of all rows, every byte', async () => {
  const [file] = await dataFiles()
  const sound = readFileSync(file!)
  const damaged = Buffer.from(sound)
  damaged[5000]! ^= 1
  writeFileSync(file!, damaged)
  const request = { format: 'csv', columns: ['n'] } as const
  const few = await open().export(view, { ...request, entities: [entity, [2n, shop(1759)], [9n, 'nowhere']] })
  expect(few.rows).toBe(DAYS * 2)
  await few.dispose()
  await expect(open().export(view, request)).rejects.toMatchObject({ code: 'DATA_LOSS' })
  writeFileSync(file!, sound)
  const all = await open().export(view, request)
  expect(all.rows).toBe(SHOPS * DAYS)
  await all.dispose()
})

test('files that cannot hold what is asked for are not opened: pruned by month, by day and by key', async () => {
  const [january, february] = (await dataFiles()).sort()
  const kept = readFileSync(january!)
  rmSync(january!)
  const february1 = Date.UTC(2024, 1, 1) * 1000
  const late = await open().export(view, { format: 'csv', fromMicros: february1 })
  expect(late.rows).toBe(SHOPS * 6)
  await late.dispose()
  await expect(open().export(view, { format: 'csv' })).rejects.toMatchObject({
    code: 'DATA_LOSS',
    message: expect.stringContaining('is gone'),
  })
  // Not before the first key of any file.
  const none = await open().export(view, { format: 'csv', entities: [[-1n, shop(1)]] })
  expect(none.rows).toBe(0)
  await none.dispose()
  // Six of them are in February: a history of five does not need January.
  expect(await history(open(), 5)).toEqual({ values: whole.slice(0, 5), truncated: true })
  writeFileSync(january!, kept)
  const early = readFileSync(february!)
  rmSync(february!)
  const until = await open().export(view, { format: 'csv', untilMicros: february1 })
  expect(until.rows).toBe(SHOPS * 6)
  await until.dispose()
  writeFileSync(february!, early)
})

test('every key is found, whatever its characters and length, in row groups whose bounds are these keys', async () => {
  const odd = viewOf({ n: 'int64' }, { name: 'odd', partitionBy: 'month' })
  const long = 'x'.repeat(300)
  const keys = [
    '',
    '\0',
    'a\0b',
    "o'hare",
    '"',
    '\\x00',
    '\\',
    'é',
    '😀',
    '\u{10ffff}',
    `${long}a`,
    `${long}b`,
    'NULL',
    ' ',
    '%',
  ]
  // So many rows of each that every one is a bound of some row group.
  const entries = keys.flatMap((key, index) =>
    Array.from({ length: 2100 }, (_, row) => {
      const position = index * 2100 + row + 1
      return rowOf(odd, { key: [key], event: START + position, position, values: [BigInt(row)] })
    }),
  )
  await open().append(odd, [{ source: { storeId: 's', shard: 0 as Shard }, entries }])
  for (const [index, key] of keys.entries()) {
    const { rows } = await open().history(odd, { entity: [key], limit: 5000 })
    expect(rows, JSON.stringify(key)).toHaveLength(2100)
    if (index % 4 !== 0) continue
    const few = await open().export(odd, { format: 'csv', columns: ['n'], entities: [[key], ['nobody']] })
    expect(few.rows, JSON.stringify(key)).toBe(2100)
    await few.dispose()
  }
}, 60_000)

test('int64 keys are found at both ends of their range', async () => {
  const numbered = viewOf({ n: 'int64' }, { name: 'numbered', joinKeys: [{ name: 'k', type: 'int64' }] })
  const keys = [-(2n ** 63n), -1n, 0n, 1n, 2n ** 53n + 1n, 2n ** 63n - 1n]
  const entries = keys.flatMap((key, index) =>
    Array.from({ length: 2100 }, (_, row) => {
      const position = index * 2100 + row + 1
      return rowOf(numbered, { key: [key], event: START + position, position, values: [BigInt(row)] })
    }),
  )
  await open().append(numbered, [{ source: { storeId: 's', shard: 0 as Shard }, entries }])
  for (const key of keys) {
    const { rows } = await open().history(numbered, { entity: [key], limit: 5000 })
    expect(rows, String(key)).toHaveLength(2100)
  }
})
