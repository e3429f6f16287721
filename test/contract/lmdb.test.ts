/** The LMDB adapter: the contract of every online store, and what is LMDB's own. */
import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, open } from 'lmdb'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { RowKey } from '../../src/domain/entity-key.ts'
import { rowFault } from '../../src/domain/row-codec.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import type { LmdbLimits } from '../../src/online/lmdb/lmdb-options.ts'
import { openLmdbStore } from '../../src/online/lmdb/lmdb-store.ts'
import type { OnlineStore } from '../../src/online/online-store.ts'
import { LMDB_LIMITS } from '../support/lmdb-limits.mjs'
import { onlineStoreContract } from './online-store.ts'
import { contentOf, emptyOutbox, keyOf, wholeOutbox, write } from './online-store-fixture.ts'

const SHARDS = 3

async function temporaryFolder(): Promise<string> {
  return await mkdtemp(join(tmpdir(), 'twinstore.lmdb-'))
}

for (const durability of ['machine', 'process'] as const) {
  onlineStoreContract(`LMDB, durability ${durability}`, async (limits) => {
    const dir = await temporaryFolder()
    const opened: OnlineStore[] = []
    const openAgain = async (): Promise<OnlineStore> => {
      const store = await openLmdbStore({
        dir,
        shardCount: SHARDS,
        clock: systemClock,
        ...LMDB_LIMITS,
        ...limits,
        durability,
      })
      opened.push(store)
      return store
    }
    return {
      store: await openAgain(),
      reopen: openAgain,
      damage: async (key) => await flipLastBit(dir, key),
      async dispose() {
        for (const store of opened) await store.close()
        await rm(dir, { recursive: true })
      },
    }
  })
}

/** Through a database handle of the test's own, as a fault below the store would. */
async function flipLastBit(dir: string, key: RowKey): Promise<void> {
  await inTable(dir, 'values', (table) => {
    const bytes = Buffer.from(key, 'latin1')
    const row = Buffer.from(table.get(bytes)!)
    row[row.length - 1]! ^= 1
    table.putSync(bytes, row)
  })
}

async function inTable(dir: string, name: string, use: (table: Database<Buffer, Buffer>) => void): Promise<void> {
  const encodings = { encoding: 'binary', keyEncoding: 'binary' } as const
  const root = open<Buffer, Buffer>({ path: dir, noSubdir: false, overlappingSync: false, ...encodings })
  use(root.openDB<Buffer, Buffer>(name, encodings))
  await root.close()
}

describe('LMDB', () => {
  let dir: string
  let store: OnlineStore | undefined

  beforeEach(async () => {
    dir = await temporaryFolder()
  })

  afterEach(async () => {
    await store?.close()
    store = undefined
    await rm(dir, { recursive: true, force: true })
  })

  async function openStore(
    limits: Partial<LmdbLimits> & { shardCount?: number; clock?: Clock } = {},
  ): Promise<OnlineStore> {
    store = await openLmdbStore({ dir, shardCount: SHARDS, clock: systemClock, ...LMDB_LIMITS, ...limits })
    return store
  }

  async function closeStore(): Promise<void> {
    await store!.close()
    store = undefined
  }

  test('another shard count is refused, naming both', async () => {
    await openStore({ shardCount: 3 })
    await closeStore()
    await expect(openStore({ shardCount: 4 })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringMatching(/3 shards.*4.*shard-count/),
    })
    expect((await openStore({ shardCount: 3 })).shardCount).toBe(3)
  })

  test('two stores have ids of their own', async () => {
    const first = (await openStore()).storeId
    await closeStore()
    await rm(dir, { recursive: true })
    expect((await openStore()).storeId).not.toBe(first)
    expect(first).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('a file that is no LMDB database is refused', async () => {
    await writeFile(join(dir, 'data.mdb'), Buffer.alloc(100_000, 'not a database '))
    await expect(openStore()).rejects.toMatchObject({ code: 'DATA_LOSS', message: expect.stringContaining(dir) })
  })

  test('a data file that was cut short is refused', async () => {
    const opened = await openStore()
    await opened.write(Array.from({ length: 50 }, (_, index) => write(keyOf(`${index}`), 1, Buffer.alloc(3_000))))
    await closeStore()
    for (const bytes of [12_288, 4_096, 100]) {
      await truncate(join(dir, 'data.mdb'), bytes)
      await expect(openStore()).rejects.toMatchObject({ code: 'DATA_LOSS', message: expect.stringContaining(dir) })
    }
  })

  test('a file where the folder should be is refused', async () => {
    await rm(dir, { recursive: true })
    await writeFile(dir, 'a file')
    await expect(openStore()).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('--online lmdb:'),
    })
  })

  test('an LMDB database of another program is refused and left as it was', async () => {
    await inTable(dir, 'accounts', (table) => table.putSync(Buffer.from('a'), Buffer.from('b')))
    await expect(openStore()).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('not an online store of Twinstore'),
    })
    await inTable(dir, 'accounts', (table) => expect(table.get(Buffer.from('a'))).toEqual(Buffer.from('b')))
  })

  test('a store of a newer format is refused', async () => {
    await openStore()
    await closeStore()
    await inTable(dir, 'meta', (table) =>
      table.putSync(Buffer.from('header'), Buffer.from('{"format":2,"storeId":"x","shardCount":3}')),
    )
    await expect(openStore()).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringMatching(/format 2.*writes 1/),
    })
  })

  test('a folder marked by another boot as possibly unflushed is refused; a clean close leaves no mark', async () => {
    await openStore({ durability: 'process' })
    expect(await readdir(dir)).toContain('unflushed')
    await closeStore()
    expect(await readdir(dir)).not.toContain('unflushed')
    await writeFile(join(dir, 'unflushed'), 'another boot')
    await expect(openStore()).rejects.toMatchObject({
      code: 'DATA_LOSS',
      message: expect.stringContaining('lmdb-durability process'),
    })
  })

  test('durability machine flushes what an ended process of the same boot left', async () => {
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
    await openStore()
    await closeStore()
    await writeFile(join(dir, 'unflushed'), boot)
    await openStore({ durability: 'machine' })
    expect(await readdir(dir)).not.toContain('unflushed')
  })

  test('keys up to the limit of LMDB are stored; longer ones are refused, naming it', async () => {
    const opened = await openStore()
    const longest = keyOf(Buffer.alloc(1978 - 'airport_daily/'.length, 0x41))
    const longer = `${longest}A` as RowKey
    await opened.write([write(longest, 1, 'longest')])
    const refused = expect.objectContaining({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/airport_daily.*1965 bytes.*1964/),
    })
    await expect(opened.write([write(keyOf('ATL'), 1, 'x'), write(longer, 1, 'x')])).rejects.toEqual(refused)
    await expect(opened.seed([write(longer, 1, 'x')])).rejects.toEqual(refused)
    const results = await opened.readMany([longest, longer, keyOf('ATL')])
    expect(contentOf(results[0])).toBe('longest')
    expect(results.slice(1)).toEqual([refused, null])
    expect((await wholeOutbox(opened)).map((entry) => entry.key)).toEqual([longest])
  })

  test('a write id is forgotten after its retention', async () => {
    let nowMicros = 1_700_000_000_000_000
    const clock: Clock = { ...systemClock, nowMicros: () => nowMicros }
    const opened = await openStore({ clock, writeIdRetentionSeconds: 60 })
    const repeat = (): ReturnType<OnlineStore['write']> =>
      opened.write([write(keyOf('ATL'), 1, 'x')], { writeId: 'id', contentHash: 'aa' })
    const first = await repeat()
    nowMicros += 60_000_000
    expect(await repeat()).toEqual(first)
    nowMicros += 1
    const second = await repeat()
    expect(second).not.toEqual(first)
    nowMicros += 59_000_000
    expect(await repeat()).toEqual(second)
  })

  test('above the number of write ids kept, the oldest are forgotten', async () => {
    const opened = await openStore({ writeIdsMax: 10 })
    const send = (id: number): ReturnType<OnlineStore['write']> =>
      opened.write([write(keyOf('ATL'), 1, 'x')], { writeId: `id-${id}`, contentHash: 'aa' })
    for (let id = 0; id < 50; id++) await send(id)
    await closeStore()
    await inTable(dir, 'write-ids', (table) => expect(table.getCount()).toBe(10))
    await inTable(dir, 'write-id-expiry', (table) => expect(table.getCount()).toBe(10))
  })

  async function damageSecondEntry(change: (value: Buffer) => Buffer): Promise<void> {
    await inTable(dir, 'outbox', (table) => {
      const [, second] = [...table.getRange()]
      table.putSync(Buffer.from(second!.key), change(Buffer.from(second!.value)))
    })
  }

  test('a damaged outbox row is given out as it is, under the position it was accepted at', async () => {
    const opened = await openStore({ shardCount: 1 })
    const outcomes = await opened.write(['ATL', 'ORD', 'LAX'].map((name) => write(keyOf(name), 1, name)))
    await damageSecondEntry((value) => {
      value[value.length - 1]! ^= 1
      return value
    })
    const entries = await wholeOutbox(opened)
    expect(entries.map((entry) => entry.position)).toEqual(outcomes.map((outcome) => outcome.position))
    expect(entries.map((entry) => rowFault(entry.row)?.code)).toEqual([undefined, 'DATA_LOSS', undefined])
  })

  test('an outbox entry whose key cannot be read stops its shard there and is named', async () => {
    const opened = await openStore({ shardCount: 1 })
    const outcomes = await opened.write(['ATL', 'ORD', 'LAX'].map((name) => write(keyOf(name), 1, name)))
    await damageSecondEntry((value) => value.subarray(0, 3))
    const before = await wholeOutbox(opened)
    expect(before.map((entry) => entry.position)).toEqual([outcomes[0]!.position])
    await opened.trimOutbox(0 as Parameters<OnlineStore['trimOutbox']>[0], outcomes[0]!.position)
    await expect(wholeOutbox(opened)).rejects.toMatchObject({
      code: 'DATA_LOSS',
      message: expect.stringContaining(`${outcomes[1]!.position}`),
    })
  })

  test('at its limit of bytes it refuses writes and seeds, reads go on, and a trim makes room', async () => {
    const opened = await openStore({ storeBytesMax: 4_000_000 })
    let written = 0
    const fill = async (): Promise<void> => {
      for (;;) {
        await opened.write([write(keyOf('same'), written, Buffer.alloc(20_000, 1))])
        written++
      }
    }
    const full = { code: 'RESOURCE_EXHAUSTED', message: expect.stringMatching(/lmdb-bytes-max.*4000000/) }
    await expect(fill()).rejects.toMatchObject(full)
    expect(written).toBeGreaterThan(100)
    await expect(opened.seed([write(keyOf('other'), 1, 'x')])).rejects.toMatchObject(full)
    expect((await wholeOutbox(opened)).length).toBe(written)
    expect(contentOf((await opened.readMany([keyOf('same')]))[0])).toBe(Buffer.alloc(20_000, 1).toString())
    await emptyOutbox(opened)
    await opened.write([write(keyOf('same'), written, 'fits')])
  })

  test('when the disk takes no more, writes are refused, nothing is lost, and reads go on', async () => {
    await mkdir(join(dir, 'store'))
    // A limit on file size (ulimit -f, 1 KiB blocks) fails writes as a full disk does; Node ignores its signal.
    const child = spawnSync(
      'bash',
      ['-c', `ulimit -f 2048; exec "$0" "$1" "$2"`, process.execPath, DISK_FULL_CHILD, join(dir, 'store')],
      { encoding: 'utf8' },
    )
    expect(child.status, child.stderr).toBe(0)
    expect(JSON.parse(child.stdout)).toEqual({ refusals: ['UNAVAILABLE'], lost: 0, unexpected: 0 })
  })
})

const DISK_FULL_CHILD = new URL('./lmdb-disk-full.mjs', import.meta.url).pathname
