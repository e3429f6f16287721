import { expect, test } from 'vitest'
import { createJobLane } from '../../src/offline/duckdb/job-lane.ts'

const LIMITS = { runningMax: 2, runningOption: 'offline-jobs-max', waitingMax: 1, waitingOption: 'offline-queue-max' }

/** A task that ends when it is told to. */
function held(): {
  task: () => Promise<string>
  started: Promise<void>
  finish: (value: string) => void
  fail: () => void
} {
  let begin = () => {}
  let finish = (_: string) => {}
  let fail = () => {}
  const started = new Promise<void>((resolve) => {
    begin = resolve
  })
  const result = new Promise<string>((resolve, reject) => {
    finish = resolve
    fail = () => reject(new Error('failed'))
  })
  const task = () => {
    begin()
    return result
  }
  return { task, started, finish: (value) => finish(value), fail: () => fail() }
}

test('only so many run; the next waits its turn, the one after is refused with both options', async () => {
  const lane = createJobLane(LIMITS)
  const [a, b, c] = [held(), held(), held()]
  const results = [lane.run(a.task), lane.run(b.task), lane.run(c.task)]
  await Promise.all([a.started, b.started])
  await expect(lane.run(async () => 'd')).rejects.toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    message: expect.stringMatching(/offline-jobs-max.*offline-queue-max/),
  })
  a.finish('a')
  await c.started
  b.finish('b')
  c.finish('c')
  expect(await Promise.all(results)).toEqual(['a', 'b', 'c'])
  expect(await lane.run(async () => 'e')).toBe('e')
})

test('a failed task gives its place to the next', async () => {
  const lane = createJobLane({ ...LIMITS, runningMax: 1 })
  const [a, b] = [held(), held()]
  const first = lane.run(a.task)
  const second = lane.run(b.task)
  a.fail()
  await expect(first).rejects.toThrow('failed')
  b.finish('b')
  expect(await second).toBe('b')
})

test('a task that is cancelled while it waits never runs and leaves its place in the queue', async () => {
  const lane = createJobLane({ ...LIMITS, runningMax: 1 })
  const a = held()
  const first = lane.run(a.task)
  const controller = new AbortController()
  let ran = false
  const waiting = lane.run(async () => {
    ran = true
  }, controller.signal)
  controller.abort()
  await expect(waiting).rejects.toMatchObject({ code: 'CANCELLED' })
  const third = lane.run(async () => 'third')
  a.finish('a')
  expect([await first, await third, ran]).toEqual(['a', 'third', false])
})

test('close lets the running task end and rejects the waiting and the later ones', async () => {
  const lane = createJobLane({ ...LIMITS, runningMax: 1 })
  const a = held()
  const first = lane.run(a.task)
  const waiting = lane.run(async () => 'never')
  const closed = lane.close()
  await expect(waiting).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await expect(lane.run(async () => 'late')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  a.finish('a')
  await closed
  expect(await first).toBe('a')
})
