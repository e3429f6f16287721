import { expect, test } from 'vitest'
import { type RowKey, shardOf, splitRowKey } from '../../src/domain/entity-key.ts'
import { TwinstoreError } from '../../src/domain/errors.ts'
import { rowCreatedMicros, rowPosition, rowValues } from '../../src/domain/row-codec.ts'
import { WireReader } from '../../src/lib/wire.ts'
import type { OnlineStore, RowWrite } from '../../src/online/online-store.ts'
import { waitFor } from '../../src/writing/abort.ts'
import type { ArchivedRow } from '../../src/writing/archive-waiters.ts'
import { createWriteService } from '../../src/writing/feature-write-service.ts'
import { createFeatureWriter } from '../../src/writing/feature-writer.ts'
import type { RowChanges } from '../../src/writing/row-changes.ts'
import { encodeWriteRequest } from '../support/typed-rows.ts'
import { airport, limits, ManualClock, NOW_MICROS, route, TestDefinitions, viewOf } from './writing-fixture.ts'
import { openTestStore } from './writing-stores.ts'

/** Everything that happens to a write, in the order it happens. */
class Journal implements RowChanges {
  readonly events: string[] = []
  readonly appliedRows: RowWrite[] = []
  readonly changedKeys: RowKey[] = []
  readonly waitedFor: ArchivedRow[] = []
  archive: Promise<void> = Promise.resolve()

  applied(rows: readonly RowWrite[]): void {
    this.events.push(`applied ${rows.length}`)
    this.appliedRows.push(...rows)
  }

  changed(keys: readonly RowKey[]): void {
    this.events.push(`changed ${keys.length}`)
    this.changedKeys.push(...keys)
  }

  accepted(rows: number): void {
    this.events.push(`accepted ${rows}`)
  }

  archived(row: ArchivedRow, signal: AbortSignal | undefined, message: string): Promise<void> {
    this.events.push('waits')
    this.waitedFor.push(row)
    return waitFor(this.archive, signal, message)
  }
}

async function service(wrap: (online: OnlineStore) => OnlineStore = (online) => online) {
  const store = await openTestStore()
  const online = wrap(store)
  const journal = new Journal()
  const clock = new ManualClock()
  const definitions = new TestDefinitions(airport, route, viewOf({ ...route, name: 'batch_only', online: false }))
  const writer = createFeatureWriter({ online, archiver: journal, changes: journal })
  return { store, journal, clock, writes: createWriteService({ writer, definitions, clock, limits }) }
}

function outcomesOf(response: Buffer): { status: number; position: number }[] {
  const outcomes: { status: number; position: number }[] = []
  const reader = new WireReader(response)
  while (reader.next()) {
    const message = new WireReader(reader.readBytes())
    const found = { status: 0, position: 0 }
    while (message.next()) {
      message.readVarint64()
      if (message.field === 1) found.status = message.low
      else found.position = message.signedNumber()
    }
    outcomes.push(found)
  }
  return outcomes
}

const delay = (name: string, value: number, eventMicros?: number) => ({
  values: { route: name, max_delay: value },
  ...(eventMicros === undefined ? {} : { eventMicros }),
})

test('rows are online, and the cache has them as stored, when they are acknowledged', async () => {
  const { store, journal, writes } = await service()
  const request = encodeWriteRequest(route, [delay('a', 1), delay('b', 2), delay('a', 3), delay('a', 4, 1000)])
  const outcomes = outcomesOf(await writes.writeFeatures(request))
  expect(outcomes.map((outcome) => outcome.status)).toEqual([1, 1, 1, 2])
  expect(new Set(outcomes.map((outcome) => outcome.position)).size).toBe(4)
  expect(journal.events).toEqual(['applied 3', 'changed 1', 'accepted 4'])
  const [b, a] = await store.readMany([journal.appliedRows[1]!.key, journal.appliedRows[2]!.key])
  expect(journal.appliedRows[1]!.row).toEqual(b)
  expect(journal.appliedRows[2]!.row).toEqual(a)
  expect(rowPosition(journal.appliedRows[2]!.row)).toBe(outcomes[2]!.position)
  expect(rowCreatedMicros(journal.appliedRows[2]!.row)).toBe(outcomes[2]!.position)
})

test('a retry gets the first answer, changes nothing, and makes the cache forget instead of going back', async () => {
  const { store, journal, clock, writes } = await service()
  const request = encodeWriteRequest(route, [delay('a', 1), delay('b', 2)], { writeId: 'w1' })
  const first = await writes.writeFeatures(request)
  await writes.writeFeatures(encodeWriteRequest(route, [delay('a', 9)]))
  // The default timestamp of the retry is later; it must neither be another request nor reach the cache.
  clock.advance(60_000)
  expect(
    await writes.writeFeatures(
      encodeWriteRequest(route, [delay('a', 1), delay('b', 2)], { writeId: 'w1', ack: 'BOTH' }),
    ),
  ).toEqual(first)
  expect((await store.outboxDepth()).rows).toBe(3)
  expect(journal.events).toEqual([
    'changed 2',
    'accepted 2',
    'applied 1',
    'accepted 1',
    'changed 2',
    'accepted 2',
    'waits',
    'waits',
  ])
  const [row] = await store.readMany([journal.changedKeys[0]!])
  expect(rowValues(row as Buffer)[0]!.readDoubleLE(1)).toBe(9)

  const other = encodeWriteRequest(route, [delay('a', 2), delay('b', 2)], { writeId: 'w1' })
  await expect(writes.writeFeatures(other)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
})

test('rows of a view that is not online are for the history only', async () => {
  const { store, journal, writes } = await service()
  const view = viewOf({ ...route, name: 'batch_only', online: false })
  const outcomes = outcomesOf(await writes.writeFeatures(encodeWriteRequest(view, [delay('a', 1)], { ack: 'BOTH' })))
  expect(outcomes.map(({ status }) => status)).toEqual([3])
  expect(journal.events).toEqual(['applied 0', 'changed 1', 'accepted 1', 'waits'])
  expect(await store.readMany(journal.changedKeys)).toEqual([null])
  expect((await store.outboxDepth()).rows).toBe(1)
})

test('ack BOTH waits for the greatest position of every shard', async () => {
  const { journal, writes } = await service()
  const rows = Array.from({ length: 40 }, (_, index) => delay(`r${index}`, index))
  const outcomes = outcomesOf(await writes.writeFeatures(encodeWriteRequest(route, rows, { ack: 'BOTH' })))
  const greatest = new Map<number, number>()
  journal.appliedRows.forEach(({ key }, index) => {
    greatest.set(shardOf(splitRowKey(key).entityKey, 4), outcomes[index]!.position)
  })
  expect(greatest.size).toBe(4)
  expect(new Map(journal.waitedFor.map((row) => [row.shard as number, row.position as number]))).toEqual(greatest)
  expect(journal.events.slice(0, 2)).toEqual(['applied 40', 'accepted 40'])
})

test('a deadline while waiting for the offline store says that the rows are accepted', async () => {
  const { store, journal, writes } = await service()
  journal.archive = new Promise(() => {})
  const controller = new AbortController()
  const request = encodeWriteRequest(route, [delay('a', 1)], { ack: 'BOTH', writeId: 'w' })
  const archived = journal.archived.bind(journal)
  journal.archived = (...args) => {
    const waiting = archived(...args)
    controller.abort(new TwinstoreError('DEADLINE_EXCEEDED', 'the deadline passed'))
    return waiting
  }
  const written = writes.writeFeatures(request, controller.signal)
  await expect(written).rejects.toMatchObject({
    code: 'DEADLINE_EXCEEDED',
    message: /rows ARE accepted online.*same write_id is safe/,
  })
  expect((await store.outboxDepth()).rows).toBe(1)
  journal.archived = archived
  journal.archive = Promise.resolve()
  expect(outcomesOf(await writes.writeFeatures(request))).toMatchObject([{ status: 1 }])
  expect((await store.outboxDepth()).rows).toBe(1)
})

test('a deadline while the online store does not answer leaves the write going on, and says that its fate is unknown', async () => {
  const controller = new AbortController()
  let answer: (() => void) | undefined
  const slow = new Promise<void>((resolve) => {
    answer = resolve
  })
  const { journal, writes } = await service((online) => ({
    ...online,
    write: async (...args) => {
      controller.abort()
      await slow
      return online.write(...args)
    },
  }))
  const told = new Promise<void>((resolve) => {
    const accepted = journal.accepted.bind(journal)
    journal.accepted = (rows) => {
      accepted(rows)
      resolve()
    }
  })
  const written = writes.writeFeatures(encodeWriteRequest(route, [delay('a', 1)]), controller.signal)
  await expect(written).rejects.toMatchObject({ code: 'CANCELLED', message: /may or may not be written/ })
  answer!()
  await told
  expect(journal.events).toEqual(['applied 1', 'accepted 1'])
  const gone = AbortSignal.abort(new DOMException('late', 'TimeoutError'))
  const refused = writes.writeFeatures(encodeWriteRequest(route, [delay('a', 1)]), gone)
  await expect(refused).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', message: 'nothing was written' })
})

test('nothing reaches the store, the cache or the archiver when a row is faulty', async () => {
  const { store, journal, writes } = await service()
  const request = encodeWriteRequest(route, [delay('a', 1), delay('b', Number.NaN)])
  await expect(writes.writeFeatures(request)).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: /rows\[1\]\.max_delay/,
  })
  expect((await store.outboxDepth()).rows).toBe(0)
  expect(journal.events).toEqual([])
})

test('a store that refuses leaves the cache alone', async () => {
  const full = new TwinstoreError('RESOURCE_EXHAUSTED', 'outbox-rows-max')
  const { journal, writes } = await service((online) => ({ ...online, write: () => Promise.reject(full) }))
  await expect(writes.writeFeatures(encodeWriteRequest(route, [delay('a', 1)]))).rejects.toBe(full)
  expect(journal.events).toEqual([])
})

test.each([
  ['rout', 'NOT_FOUND', /did you mean route\?/],
  ['', 'INVALID_ARGUMENT', /names no view/],
])('view %j is refused with %s', async (name, code, message) => {
  const { writes } = await service()
  const request = encodeWriteRequest({ ...route, name }, [delay('a', 1, NOW_MICROS)])
  await expect(writes.writeFeatures(request)).rejects.toMatchObject({ code, message })
})
