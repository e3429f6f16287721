/** Scheduled work: when tasks are due, whose they are, and what a failure and a stop mean. */
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { TwinstoreError } from '../../src/domain/errors.ts'
import { homeShard } from '../../src/upkeep/home-shard.ts'
import { createSchedule, type Schedule, type ScheduledTask } from '../../src/upkeep/schedule.ts'
import { ManualClock, NOW_MICROS } from './writing-fixture.ts'

const HOUR_MS = 3_600_000
const NOW_MS = NOW_MICROS / 1000

interface Bench {
  readonly clock: ManualClock
  readonly schedule: Schedule
  /** Names of the runs in the order in which they began. */
  readonly runs: string[]
  readonly mine: Set<string>
  readonly faults: string[]
  /** Moves the clock in steps of one look, and lets what is due begin and end. */
  pass(ms: number): Promise<void>
}

type TaskParts = Partial<ScheduledTask> & Pick<ScheduledTask, 'name'>

function bench(tasks: readonly TaskParts[], { runningMax = 1 } = {}): Bench {
  const clock = new ManualClock()
  const runs: string[] = []
  const faults: string[] = []
  const mine = new Set(tasks.map(({ view = 'v' }) => view))
  const schedule = createSchedule({
    tasks: tasks.map(({ run, ...task }) => ({
      view: 'v',
      everyMs: HOUR_MS,
      ...task,
      run: async (signal) => {
        runs.push(task.name)
        await run?.(signal)
      },
    })),
    clock,
    random: () => 0,
    isMine: (view) => mine.has(view),
    runningMax,
    lookEveryMs: 1000,
    retry: { minMs: 10_000, maxMs: 60_000 },
    onFault: (task, { message }) => void faults.push(`${task.name}: ${message}`),
  })
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 1000) {
      clock.advance(Math.min(left, 1000))
      await turn()
    }
  }
  return { clock, schedule, runs, mine, faults, pass }
}

test('a task runs at the start when nothing is known of it, and then an interval after each run', async () => {
  const { schedule, runs, pass } = bench([{ name: 'a', everyMs: 60_000 }])
  schedule.start()
  await turn()
  expect(runs).toEqual(['a'])
  await pass(59_000)
  expect(runs).toHaveLength(1)
  await pass(2000)
  expect(runs).toHaveLength(2)
  await schedule.stop()
})

test('what another process did before counts: a restart neither repeats nor forgets it', async () => {
  const { schedule, runs, pass } = bench([
    { name: 'recent', lastRunMs: async () => NOW_MS - HOUR_MS / 2 },
    { name: 'overdue', lastRunMs: async () => NOW_MS - 2 * HOUR_MS },
  ])
  schedule.start()
  await turn()
  expect(runs).toEqual(['overdue'])
  await pass(HOUR_MS / 2 - 1000)
  expect(runs).toEqual(['overdue'])
  await pass(2000)
  expect(runs).toEqual(['overdue', 'recent'])
  await schedule.stop()
})

test('only the instance whose view it is runs a task; after a takeover it asks when the task ran last', async () => {
  let lastRunMs = NOW_MS
  const { schedule, runs, mine, pass } = bench([{ name: 'a', lastRunMs: async () => lastRunMs }])
  mine.clear()
  schedule.start()
  await pass(2 * HOUR_MS)
  expect(runs).toEqual([])
  expect(schedule.status()).toMatchObject([{ isMine: false, dueMs: undefined }])
  lastRunMs = NOW_MS + 2 * HOUR_MS - 60_000
  mine.add('v')
  await pass(HOUR_MS - 61_000)
  expect(runs).toEqual([])
  await pass(3000)
  expect(runs).toEqual(['a'])
  await schedule.stop()
})

test('tasks wait for a place, the longest due first', async () => {
  const ends: (() => void)[] = []
  const run = (): Promise<void> => new Promise((resolve) => void ends.push(resolve))
  const { schedule, runs, pass } = bench([
    { name: 'late', run, lastRunMs: async () => NOW_MS - 2 * HOUR_MS },
    { name: 'later', run, lastRunMs: async () => NOW_MS - 3 * HOUR_MS },
    { name: 'latest', run, lastRunMs: async () => NOW_MS - 4 * HOUR_MS },
  ])
  schedule.start()
  await pass(5000)
  expect(runs).toHaveLength(1)
  ends.shift()!()
  await pass(1000)
  ends.shift()!()
  await pass(1000)
  expect(runs.slice(1)).toEqual(runs[0] === 'latest' ? ['later', 'late'] : ['latest', 'later'])
  ends.shift()!()
  await schedule.stop()
})

test('a failure is told, tried again with growing delays, and forgotten once a run succeeds', async () => {
  let isBroken = true
  const { schedule, runs, faults, pass } = bench([
    {
      name: 'a',
      run: async () => {
        if (isBroken) throw new TwinstoreError('UNAVAILABLE', 'the store is away')
      },
    },
  ])
  schedule.start()
  await turn()
  expect(faults).toEqual(['a: the store is away'])
  expect(schedule.status()).toMatchObject([{ failures: 1, error: 'the store is away', dueMs: NOW_MS + 10_000 }])
  await pass(11_000)
  expect(runs).toHaveLength(2)
  await pass(18_000)
  expect(runs).toHaveLength(2)
  isBroken = false
  await pass(2000)
  expect(runs).toHaveLength(3)
  expect(schedule.status()).toMatchObject([{ failures: 0, error: undefined }])
  await pass(HOUR_MS - 2000)
  expect(runs).toHaveLength(3)
  await schedule.stop()
})

test('an interval shorter than the delay after a failure is kept to', async () => {
  const { schedule, runs, pass } = bench([
    { name: 'a', everyMs: 3000, run: () => Promise.reject(new TwinstoreError('UNAVAILABLE', 'away')) },
  ])
  schedule.start()
  await pass(9000)
  expect(runs.length).toBeGreaterThanOrEqual(3)
  await schedule.stop()
})

test('a stop aborts what runs, waits for it, and begins nothing more', async () => {
  let ended = false
  const { schedule, runs, faults, pass } = bench([
    {
      name: 'a',
      run: (signal) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            ended = true
            reject(signal.reason)
          })
        }),
    },
    { name: 'b' },
  ])
  schedule.start()
  await pass(1000)
  await schedule.stop()
  expect(ended).toBe(true)
  await pass(2 * HOUR_MS)
  expect(runs).toEqual(['a'])
  expect(faults).toEqual([])
})

test('views have their home shards all over the store, the same for ever', () => {
  const shards = Array.from({ length: 100 }, (_, n) => homeShard({ name: `view_${n}`, version: 1 }, 16))
  expect(new Set(shards).size).toBe(16)
  // Worked out by another implementation of the hash, of `airport_daily` and `airport_daily@2`.
  expect([1, 2].map((version) => homeShard({ name: 'airport_daily', version }, 16))).toEqual([10, 3])
})
