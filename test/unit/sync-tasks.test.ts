/** The views' schedules: counted from the beginning of the last sync, whoever ran it. */
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { TwinstoreError } from '../../src/domain/errors.ts'
import type { FeatureView } from '../../src/domain/registry.ts'
import type { Position } from '../../src/domain/version.ts'
import { createSchedule } from '../../src/upkeep/schedule.ts'
import { recordFailure, recordSuccess } from '../../src/writing/sync-record.ts'
import { syncStates } from '../../src/writing/sync-states.ts'
import { syncTasks } from '../../src/writing/sync-tasks.ts'
import { ManualClock, NOW_MICROS, route, TestDefinitions } from './writing-fixture.ts'

const NOW_MS = NOW_MICROS / 1000
const EVERY_MS = 60_000
const view: FeatureView = {
  ...route,
  name: 'synced',
  source: { sql: 'SELECT 1', files: [] },
  syncEverySeconds: EVERY_MS / 1000,
}

function bench() {
  const clock = new ManualClock()
  const marks = new Map<string, string>()
  const online = {
    readMark: async (name: string) => marks.get(name),
    writeMark: async (name: string, value: string) => void marks.set(name, value),
  }
  const table = { syncPosition: 0 as Position | 0 }
  const offline = {
    status: async () => ({
      ...{ view: view.name, tableVersion: 0, rows: 0, files: 0, bytes: 0 },
      ...{ ...table, newestEventMicros: undefined },
    }),
  }
  const runs: number[] = []
  const secondsIn = () => (clock.nowMicros() / 1000 - NOW_MS) / 1000
  /** What a sync does; by default it takes 10 seconds and records itself. */
  const bySync = { work: async () => {} }
  const syncer = {
    sync: async () => {
      runs.push(secondsIn())
      const beganMs = clock.nowMicros() / 1000
      await bySync.work()
      clock.advance(10_000)
      await recordSuccess(online, view, { beganMs, seconds: 10, rowsRead: 1, rowsAdded: 1, rowsOnline: 1 })
      return []
    },
  }
  const parts = { online, offline, syncer, clock, definitions: new TestDefinitions(view, route) }
  const tasks = syncTasks(parts)
  const faults: string[] = []
  const schedule = createSchedule({
    tasks,
    clock,
    random: () => 0,
    isMine: () => true,
    runningMax: 1,
    lookEveryMs: 1000,
    retry: { minMs: 5000, maxMs: 60_000 },
    onFault: (_, { message }) => void faults.push(message),
  })
  const pass = async (seconds: number) => {
    for (const until = secondsIn() + seconds; secondsIn() < until; ) {
      clock.advance(1000)
      for (let turns = 0; turns < 10; turns++) await turn()
    }
  }
  const success = (secondsAgo: number) =>
    recordSuccess(online, view, {
      ...{ beganMs: clock.nowMicros() / 1000 - secondsAgo * 1000, seconds: 1 },
      ...{ rowsRead: 0, rowsAdded: 0, rowsOnline: 0 },
    })
  return { ...parts, table, bySync, schedule, tasks, runs, faults, pass, success }
}

test('a sync begins an interval after the last one began, however long it takes', async () => {
  const { schedule, runs, pass } = bench()
  schedule.start()
  await pass(200)
  expect(runs).toEqual([0, 60, 120, 180].map((second) => expect.closeTo(second, -1)))
  expect(runs[3]! - runs[1]!).toBeLessThan(125)
})

test('a sync by hand, or of another instance, counts', async () => {
  const { schedule, runs, pass, success } = bench()
  await success(20)
  schedule.start()
  await pass(30)
  await success(0)
  await pass(50)
  expect(runs).toEqual([])
  await pass(15)
  expect(runs).toHaveLength(1)
})

test('a lost online store has no record: the last sync in the table counts', async () => {
  const { schedule, runs, pass, table } = bench()
  table.syncPosition = (NOW_MICROS - 30_000_000) as Position
  schedule.start()
  await pass(25)
  expect(runs).toEqual([])
  await pass(10)
  expect(runs).toHaveLength(1)
})

test('who is refused because another instance came first is content; who finds nothing done tries again', async () => {
  const { schedule, runs, pass, success, bySync, faults } = bench()
  let othersDid = true
  bySync.work = async () => {
    if (othersDid) await success(0)
    throw new TwinstoreError('ABORTED', 'another one')
  }
  schedule.start()
  await pass(30)
  expect(runs).toHaveLength(1)
  expect(faults).toEqual([])
  othersDid = false
  await pass(50)
  expect(runs.length).toBeGreaterThanOrEqual(3)
  expect(faults[0]).toBe('another one')
})

test('a sync that cannot be recorded does not run in circles', async () => {
  const { schedule, runs, pass, online } = bench()
  online.writeMark = async () => {}
  schedule.start()
  await pass(50)
  expect(runs).toHaveLength(1)
})

test('the state tells when, how long, what failed since, and when the next is due', async () => {
  const made = bench()
  const state = async () =>
    (await syncStates({ ...made, syncer: { counts: () => new Map() }, isScheduledHere: () => true }))[0]
  const { clock, online } = made
  expect(await state()).toMatchObject({ last: undefined, nextDueMs: undefined, failure: undefined, everySeconds: 60 })
  await made.success(20)
  await recordFailure(
    online,
    view,
    clock.nowMicros() / 1000,
    new TwinstoreError('FAILED_PRECONDITION', 'x'.repeat(9999)),
  )
  const failed = await state()
  expect(failed).toMatchObject({ last: { beganMs: NOW_MS - 20_000, seconds: 1 }, nextDueMs: NOW_MS + 40_000 })
  expect(failed!.failure).toEqual({ beganMs: NOW_MS, error: 'x'.repeat(500) })
  await made.success(0)
  expect((await state())!.failure).toBeUndefined()
})
