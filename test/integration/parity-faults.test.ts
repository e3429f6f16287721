/** Faults injected on purpose: each is found, named, classified and mended. */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type RowKey, shardOfRow } from '../../src/domain/entity-key.ts'
import { isRowInSample } from '../../src/domain/key-sample.ts'
import { encodeRow, rowEventMicros, rowPosition, rowValues } from '../../src/domain/row-codec.ts'
import { encodeValue } from '../../src/domain/value-codec.ts'
import type { Position } from '../../src/domain/version.ts'
import { compareTwins } from '../../src/parity/compare-twins.ts'
import { airport, keyOf, openTwins, type Twins, values } from './parity-fixture.ts'
import { type Tampered, tamperedLmdb, tamperedRedis, temporaryDir } from './parity-stores.ts'

const NAMES = Array.from({ length: 60 }, (_, index) => `A${index}`)

/** Written, archived, and everything equal. */
async function settledTwins(tampered: Tampered): Promise<Twins> {
  const twins = await openTwins({ online: tampered.online, dir: await temporaryDir() })
  await twins.write(Object.fromEntries(NAMES.map((name, index) => [name, values(index)])), 1_000_000)
  await twins.archiver.flush()
  expect(await twins.compare()).toMatchObject({ keys: NAMES.length, counts: { equal: NAMES.length }, faults: 0 })
  return twins
}

/** The row with another value of a feature, under the same version and with the right checksum. */
function withDelay(row: Buffer, delay: number): Buffer {
  const changed = [...rowValues(row)]
  changed[1] = encodeValue({ kind: 'double' }, delay) as Buffer
  const [eventMicros, position] = [rowEventMicros(row), rowPosition(row)]
  return encodeRow({ schemaId: 1, eventMicros, createdMicros: position, position, values: changed })
}

/** Finds these faults and no others, mends them, and then all are as they were. */
async function expectMended(twins: Twins, faults: readonly unknown[], keys = NAMES): Promise<void> {
  const found = await twins.compare()
  expect(found.findings.toSorted((a, b) => (a.entityText < b.entityText ? -1 : 1))).toMatchObject(faults)
  expect(found).toMatchObject({ faults: faults.length, repaired: 0 })
  // Nothing was touched by looking.
  expect(await twins.compare({ repair: true })).toMatchObject({ faults: faults.length, repaired: faults.length })
  expect(await twins.compare()).toMatchObject({ keys: keys.length, counts: { equal: keys.length }, faults: 0 })
}

const STORES: [string, () => Promise<Tampered>][] = [
  ['LMDB', tamperedLmdb],
  ['Redis', () => tamperedRedis()],
]

test.each(STORES)('%s: rows deleted, changed, replaced by an older one and damaged', async (_, make) => {
  const tampered = await make()
  const twins = await settledTwins(tampered)
  const before = await twins.online.readMany(NAMES.map(keyOf))
  const change = async (name: string, how: (row: Buffer) => Buffer): Promise<void> =>
    tampered.put(keyOf(name), how((await tampered.read(keyOf(name)))!))

  await tampered.remove(keyOf('A10'))
  await change('A20', (row) => withDelay(row, 99.5))
  await change('A40', (row) => {
    row[row.length - 1]! ^= 1
    return row
  })
  await change('A50', (row) => {
    const older = withDelay(row, 1)
    older.writeUInt32BE(0, 22)
    return older
  })
  await expectMended(twins, [
    { kind: 'missingOnline', entityText: 'airport=A10', entity: ['A10'], offline: { eventMicros: 1_000_000 } },
    {
      kind: 'mismatch',
      entityText: 'airport=A20',
      differences: [{ feature: 'mean_delay', online: '99.5', offline: '2.5' }],
    },
    { kind: 'unreadable', entityText: 'airport=A40', detail: expect.stringContaining('checksum') },
    { kind: 'staleOnline', entityText: 'airport=A50' },
  ])
  expect(await twins.online.readMany(NAMES.map(keyOf))).toEqual(before)
})

/** Removes the newest entry of the table's log: the commit is as if it had never been. */
async function withholdNewestCommit({ dir }: Twins): Promise<void> {
  const log = join(dir, 'offline/views/airport/v1/_delta_log')
  const entries = (await readdir(log)).filter((name) => /^\d{20}\.json$/.test(name)).sort()
  await rm(join(log, entries.at(-1)!))
}

test.each(STORES)('%s: a commit that is gone, though its rows were taken out of the outbox', async (_, make) => {
  const twins = await settledTwins(await make())
  await twins.write({ A1: values(101), A2: values(102), late: values(103) }, 2_000_000)
  await twins.archiver.flush()
  const keys = ['A1', 'A2', 'late'].map(keyOf)
  const online = (await twins.online.readMany(keys)) as Buffer[]
  await twins.archiver.stop(5000)
  await withholdNewestCommit(twins)

  const missing = { kind: 'missingOffline', online: { eventMicros: 2_000_000 } }
  await expectMended(
    twins,
    [
      { ...missing, entityText: 'airport=A1', offline: { eventMicros: 1_000_000 } },
      { ...missing, entityText: 'airport=A2' },
      { ...missing, entityText: 'airport=late' },
    ],
    [...NAMES, 'late'],
  )
  // With the positions they had, once each, and nothing older or newer made up.
  for (const [index, name] of ['A1', 'A2', 'late'].entries()) {
    const { rows } = await twins.offline.history(airport, { entity: [name], limit: 10 })
    expect(rows.map(({ position }) => position)).toEqual([
      rowPosition(online[index]!),
      ...(name === 'late' ? [] : [expect.any(Number)]),
    ])
  }
  expect(await twins.online.readMany(keys)).toEqual(online)
})

test('an archived position that is ahead of the rows: the row that the archiver dropped is found and given back', async () => {
  const { online } = await tamperedLmdb()
  const twins = await openTwins({ online, dir: await temporaryDir(), archiver: { intervalMs: 3_600_000 } })
  await twins.write({ dropped: values(1) }, 1_000_000)
  const key = keyOf('dropped')
  const shard = shardOfRow(key, online.shardCount)
  const ahead = ((await online.lastPosition(shard)) + 1000) as Position
  const other = keyOf('other')
  const row = encodeRow({
    schemaId: 1,
    eventMicros: 1,
    createdMicros: 1,
    position: ahead,
    values: rowValues((await online.readMany([key]))[0] as Buffer),
  })
  await twins.offline.append(airport, [
    { source: { storeId: online.storeId, shard }, entries: [{ key: other, row, position: ahead }] },
  ])
  expect(await twins.compare()).toMatchObject({ counts: { pending: 1, missingOnline: 1 }, faults: 1 })
  await twins.archiver.flush()
  expect((await online.outboxDepth()).rows).toBe(0)
  const found = await twins.compare({ repair: true })
  expect(found.counts).toMatchObject({ missingOffline: 1, missingOnline: 1 })
  expect(found.findings.map(({ entityText }) => entityText).toSorted()).toEqual(['airport=dropped', 'airport=other'])
  expect(await twins.compare()).toMatchObject({ counts: { equal: 2 }, faults: 0 })
  expect((await twins.offline.history(airport, { entity: ['dropped'], limit: 10 })).rows).toHaveLength(1)
})

test('while nobody archives, rows are pending and no fault; one that is deleted online is missing, and comes back from the outbox', async () => {
  const tampered = await tamperedLmdb()
  const twins = await openTwins({
    online: tampered.online,
    dir: await temporaryDir(),
    archiver: { intervalMs: 3_600_000 },
  })
  await twins.write({ A1: values(1), A2: values(2) })
  await twins.archiver.flush()
  await twins.write({ A2: values(3), A3: values(4) })
  expect(await twins.compare()).toMatchObject({ counts: { equal: 1, pending: 2 }, faults: 0 })
  const before = await tampered.read(keyOf('A3'))
  await tampered.remove(keyOf('A3'))
  expect(await twins.compare({ repair: true })).toMatchObject({ counts: { missingOnline: 1 }, repaired: 1 })
  expect(await tampered.read(keyOf('A3'))).toEqual(before)
  expect(await twins.compare()).toMatchObject({ counts: { equal: 1, pending: 2 }, faults: 0 })
  await twins.archiver.flush()
  expect(await twins.compare()).toMatchObject({ counts: { equal: 3 } })
})

test('a Redis that comes back without the end of its writes: what was archived is missing or stale, and mended', async () => {
  const tampered = await tamperedRedis(['--dbfilename', 'kept.rdb', '--save', ''])
  const twins = await settledTwins(tampered)
  await tampered.redis.command('SAVE')
  await twins.write({ A1: values(101), late: values(102) }, 2_000_000)
  await twins.archiver.flush()
  await twins.archiver.stop(5000)
  await tampered.redis.kill()
  await tampered.redis.restart()
  await expect
    .poll(
      () =>
        twins.online.health().then(
          () => 'up',
          () => 'down',
        ),
      { timeout: 30_000 },
    )
    .toBe('up')
  await expectMended(
    twins,
    [
      {
        kind: 'staleOnline',
        entityText: 'airport=A1',
        online: { eventMicros: 1_000_000 },
        offline: { eventMicros: 2_000_000 },
      },
      { kind: 'missingOnline', entityText: 'airport=late' },
    ],
    [...NAMES, 'late'],
  )
})

test('a sample looks at its keys only, finds their faults only, and the parts together find all', async () => {
  const tampered = await tamperedLmdb()
  const twins = await settledTwins(tampered)
  const removed = NAMES.filter((_, index) => index % 3 === 0).map(keyOf)
  for (const key of removed) await tampered.remove(key)
  let keys = 0
  for (let part = 0; part < 4; part++) {
    const sample = { parts: 4, part }
    const own = (all: readonly RowKey[]): number => all.filter((key) => isRowInSample(key, sample)).length
    const result = await twins.compare({ sample })
    expect(result).toMatchObject({ keys: own(NAMES.map(keyOf)), faults: own(removed) })
    expect(await twins.compare({ sample })).toMatchObject({ keys: result.keys, faults: result.faults })
    keys += result.keys
  }
  expect(keys).toBe(NAMES.length)
})

test('limits: of keys, of suspects, of findings and of repairs', async () => {
  const tampered = await tamperedLmdb()
  const twins = await settledTwins(tampered)
  for (const name of NAMES) await tampered.remove(keyOf(name))
  const run = (limits: Partial<Twins['parts']['limits']>, repair: boolean) =>
    compareTwins({ ...twins.parts, limits: { ...twins.parts.limits, ...limits } }, airport, {
      sample: { parts: 1, part: 0 },
      repair,
      findingsMax: 5,
    })
  await expect(run({ keysMax: 59 }, false)).rejects.toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    message: expect.stringMatching(/parity-keys-max.*1\/2/),
  })
  const some = await run({ suspectsMax: 20 }, false)
  expect(some).toMatchObject({ faults: 20, counts: { unchecked: 40, missingOnline: 20 } })
  expect(some.problems).toEqual([expect.stringContaining('parity-suspects-max')])
  expect(some.findings).toHaveLength(5)
  const mended = await run({ repairsMax: 25, batchKeys: 10 }, true)
  expect(mended).toMatchObject({ faults: 60, repaired: 25 })
  expect(await run({}, true)).toMatchObject({ faults: 35, repaired: 35 })
  expect(await run({}, false)).toMatchObject({ faults: 0, counts: { equal: 60 } })
})

test('what cannot be mended says why: no row anywhere else, a version that no store has given', async () => {
  const tampered = await tamperedLmdb()
  const twins = await settledTwins(tampered)
  const row = (await tampered.read(keyOf('A1')))!
  const nowhere = Buffer.from(row)
  nowhere[nowhere.length - 1]! ^= 1
  await tampered.put(keyOf('nowhere'), nowhere)
  const raised = Buffer.from(row)
  raised.writeUInt32BE(0x7fffffff, 10 + 4)
  raised[10]! |= 0x10
  await tampered.put(keyOf('A1'), raised)
  const { findings, repaired } = await twins.compare({ repair: true })
  expect(repaired).toBe(0)
  expect(findings.map(({ entityText, kind, repair }) => [entityText, kind, repair]).toSorted()).toEqual([
    ['airport=A1', 'missingOffline', { kind: 'failed', reason: expect.stringContaining('header is damaged') }],
    ['airport=nowhere', 'unreadable', { kind: 'failed', reason: expect.stringContaining('write the entity again') }],
  ])
})

test('a shard that does not answer is unchecked, and nobody is accused', async () => {
  const tampered = await tamperedRedis([], { readTimeoutMs: 300, writeTimeoutMs: 500 })
  const twins = await settledTwins(tampered)
  tampered.redis.pause()
  onTestFinished(() => tampered.redis.resume())
  await expect(twins.compare()).resolves.toMatchObject({ faults: 0, counts: { unchecked: NAMES.length } })
})
