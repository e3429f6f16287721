import { expect, test } from 'vitest'
import { createKeptDatasets } from '../../src/api/kept-datasets.ts'
import type { NamedDataset } from '../../src/api/named-dataset.ts'
import type { Clock } from '../../src/lib/clock.ts'

/** Timers that run when told. */
function manualClock() {
  const timers = new Set<{ readonly atMs: number; readonly run: () => void }>()
  let nowMs = 0
  const clock: Clock = {
    nowMicros: () => nowMs * 1000,
    monotonicMs: () => nowMs,
    after(delayMs, run) {
      const timer = { atMs: nowMs + delayMs, run }
      timers.add(timer)
      return { cancel: () => void timers.delete(timer) }
    },
  }
  const advance = async (ms: number) => {
    nowMs += ms
    for (const timer of [...timers].filter(({ atMs }) => atMs <= nowMs)) {
      timers.delete(timer)
      timer.run()
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { clock, advance }
}

function setUp(datasetKeepBytesMax = 1000, datasetKeepMs = 100) {
  const { clock, advance } = manualClock()
  const disposed: string[] = []
  const kept = createKeptDatasets({ clock, datasetKeepMs, datasetKeepBytesMax })
  const add = (id: string, bytes = 400) => {
    const dataset = { bytes, dispose: async () => void disposed.push(id) }
    return kept.add(id, { dataset } as unknown as NamedDataset)
  }
  return { kept, add, disposed, advance }
}

test('a data set read to its end is disposed of at once, one that was left after the time', async () => {
  const { kept, add, disposed, advance } = setUp()
  await add('read').release(true)
  expect([disposed, kept.has('read')]).toEqual([['read'], false])
  await add('left').release(false)
  await advance(99)
  expect(kept.has('left')).toBe(true)
  await advance(1)
  expect([disposed, kept.has('left')]).toEqual([['read', 'left'], false])
})

test('a reader that comes back stops the time, however long it takes', async () => {
  const { kept, add, disposed, advance } = setUp()
  await add('a').release(false)
  const again = kept.lend('a')!
  await advance(10_000)
  expect(disposed).toEqual([])
  await again.release(false)
  await advance(99)
  expect(kept.has('a')).toBe(true)
  await kept.lend('a')!.release(true)
  expect(disposed).toEqual(['a'])
  expect(kept.lend('a')).toBeUndefined()
})

test('of two streams of one data set the last one decides, and one read to the end is enough', async () => {
  const { kept, add, disposed, advance } = setUp()
  const dead = add('a')
  const alive = kept.lend('a')!
  await alive.release(true)
  expect(disposed).toEqual([])
  await dead.release(false)
  expect(disposed).toEqual(['a'])
  await advance(1000)
  expect(disposed).toEqual(['a'])
})

test('beyond the bytes the one left longest goes; those in use do not count', async () => {
  const { add, disposed, kept } = setUp(1000)
  const inUse = add('in use', 5000)
  await add('first').release(false)
  await add('second').release(false)
  expect(disposed).toEqual([])
  await kept.lend('first')!.release(false)
  await add('third').release(false)
  expect(disposed).toEqual(['second'])
  await add('larger than all', 1001).release(false)
  expect(disposed).toEqual(['second', 'first', 'third', 'larger than all'])
  await inUse.release(true)
})

test('with a time of zero nothing is kept', async () => {
  const { add, disposed } = setUp(1000, 0)
  await add('a').release(false)
  expect(disposed).toEqual(['a'])
})
