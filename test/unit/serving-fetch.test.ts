/** What is read from the store, when, and what happens to a request while it is. */
import { expect, test } from 'vitest'
import { TwinstoreError } from '../../src/domain/errors.ts'
import type { Caller } from '../../src/serving/serving-service.ts'
import {
  type Bench,
  bench,
  decodeResponse,
  definitions,
  encodeRequest,
  feature,
  keyOf,
  rowOf,
  view,
} from './serving-fixture.ts'

const FRESH = 2
const counter = view('counter', [feature('n', 'int32')])
const world = definitions({ views: [counter] })
const request = (ids: readonly string[], consistency = 0): Buffer =>
  encodeRequest({
    features: { references: ['counter:n'] },
    columns: [{ name: 'airport', strings: { val: ids } }],
    consistency,
  })
const put = ({ store }: Bench, id: string, n: number): void =>
  void store.rows.set(keyOf(counter, id), rowOf(counter, [n], { position: n }))
const values = async (answer: Buffer | Promise<Buffer>): Promise<unknown[]> =>
  decodeResponse(await answer).vectors.map((vector) => vector.values[0]?.['int32_val'])
const statuses = async (answer: Buffer | Promise<Buffer>): Promise<unknown[]> =>
  decodeResponse(await answer).vectors.map((vector) => vector.statuses[0] ?? 1)

function manual(more: Parameters<typeof bench>[1] = {}): Bench {
  const made = bench(world, more)
  made.store.isAutomatic = false
  return made
}

test('misses of one turn go out together, each key once, in batches of the allowed size', async () => {
  const made = manual({ fetch: { batchKeysMax: 2 } })
  for (const [index, id] of ['a', 'b', 'c'].entries()) put(made, id, index + 1)
  const answers = [made.serving.getFeatures(request(['a', 'b', 'a'])), made.serving.getFeatures(request(['c', 'b']))]
  expect(made.store.calls).toHaveLength(0)
  await made.turn()
  expect(made.store.calls.map((call) => call.keys)).toEqual([
    [keyOf(counter, 'a'), keyOf(counter, 'b')],
    [keyOf(counter, 'c')],
  ])
  for (const call of made.store.calls) call.answer()
  expect(await Promise.all(answers.map(values))).toEqual([
    [1, 2, 1],
    [3, 2],
  ])
  expect(made.serving.stats()).toMatchObject({ batches: 2, fetchedKeys: 3, joinedKeys: 2, misses: 5, cacheEntries: 3 })
})

test('a request joins a read that is under way', async () => {
  const made = manual()
  put(made, 'a', 1)
  const first = made.serving.getFeatures(request(['a']))
  await made.turn()
  const second = made.serving.getFeatures(request(['a']))
  await made.turn()
  expect(made.store.calls).toHaveLength(1)
  made.store.calls[0]!.answer()
  expect(await Promise.all([values(first), values(second)])).toEqual([[1], [1]])
})

test('a cancelled request ends at once and leaves the read to the others', async () => {
  const made = manual()
  put(made, 'a', 1)
  const abort = new AbortController()
  const cancelled = made.serving.getFeatures(request(['a']), abort)
  const other = made.serving.getFeatures(request(['a']))
  await made.turn()
  abort.abort(new TwinstoreError('DEADLINE_EXCEEDED', 'the deadline passed'))
  await expect(cancelled).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
  expect(made.store.calls[0]!.signal?.aborted).toBe(false)
  made.store.calls[0]!.answer()
  expect(await values(other)).toEqual([1])
})

test.each([
  [AbortSignal.abort(), 'CANCELLED'],
  [AbortSignal.abort(new DOMException('late', 'TimeoutError')), 'DEADLINE_EXCEEDED'],
])('a request that is over before it needs the store (%#)', async (signal, code) => {
  const made = manual()
  await expect(made.serving.getFeatures(request(['a']), { signal })).rejects.toMatchObject({ code })
  expect(made.store.calls).toHaveLength(0)
})

/** Fails if it is asked for its signal. */
function tellingCaller(whenAborted: NonNullable<Caller['whenAborted']>): Caller {
  return {
    get signal(): AbortSignal {
      throw new Error('a caller that tells by itself was asked for its signal')
    },
    whenAborted,
  }
}

test('a caller that tells by itself when it is gone ends its request, and leaves the read to the others', async () => {
  const made = manual()
  put(made, 'a', 1)
  let leave: (reason: unknown) => void = () => undefined
  const caller = tellingCaller((listener) => {
    leave = listener
  })
  const cancelled = made.serving.getFeatures(request(['a']), caller)
  const other = made.serving.getFeatures(
    request(['a']),
    tellingCaller(() => undefined),
  )
  await made.turn()
  leave(new TwinstoreError('DEADLINE_EXCEEDED', 'the deadline passed'))
  await expect(cancelled).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
  made.store.calls[0]!.answer()
  expect(await values(other)).toEqual([1])
})

test('a caller that is gone already has nothing read for it', async () => {
  const made = manual()
  const caller = tellingCaller((listener) => listener(new TwinstoreError('CANCELLED', 'gone')))
  await expect(made.serving.getFeatures(request(['a']), caller)).rejects.toMatchObject({ code: 'CANCELLED' })
  await made.turn()
  expect(made.store.calls).toHaveLength(0)
})

test('FRESH passes the cache and any read that was sent before it, and refreshes the cache', async () => {
  const made = manual()
  put(made, 'a', 1)
  const cached = made.serving.getFeatures(request(['a']))
  await made.turn()
  put(made, 'a', 2)
  const fresh = made.serving.getFeatures(request(['a'], FRESH))
  await made.turn()
  expect(made.store.calls).toHaveLength(2)
  made.store.calls[1]!.answer()
  expect(await values(fresh)).toEqual([2])
  made.store.calls[0]!.answerWith([rowOf(counter, [1])])
  expect(await values(cached)).toEqual([1])
  expect(await values(made.serving.getFeatures(request(['a'])))).toEqual([2])
  put(made, 'a', 3)
  const again = made.serving.getFeatures(request(['a'], FRESH))
  await made.turn()
  made.store.calls[2]!.answer()
  expect(await values(again)).toEqual([3])
})

test('a failed batch makes its own slots UNAVAILABLE, and is tried again by the next request', async () => {
  const made = manual({ fetch: { batchKeysMax: 1 } })
  put(made, 'b', 2)
  const answer = made.serving.getFeatures(request(['a', 'b']))
  await made.turn()
  made.store.calls[0]!.fail(new Error('connection reset'))
  made.store.calls[1]!.answer()
  expect(await statuses(answer)).toEqual([5, 1])
  expect(made.faults).toMatchObject([
    { kind: 'fetch', keyCount: 1, error: { message: expect.stringContaining('reset') } },
  ])
  put(made, 'a', 1)
  const retried = made.serving.getFeatures(request(['a', 'b']))
  await made.turn()
  made.store.calls[2]!.answer()
  expect(await values(retried)).toEqual([1, 2])
})

test('a read is never begun with a signal that an earlier one was ended by', async () => {
  const made = manual({ fetch: { timeoutMs: 500 } })
  const begun = async (user: string): Promise<(typeof made.store.calls)[number]> => {
    void made.serving.getFeatures(request([user]))
    await made.turn()
    return made.store.calls.at(-1)!
  }
  const answered = await begun('a')
  answered.answer()
  await made.turn()
  const hanging = await begun('b')
  const beside = await begun('c')
  expect(hanging.signal).not.toBe(beside.signal)
  beside.answer()
  await made.turn()
  made.clock.advance(500)
  expect([hanging.signal?.aborted, beside.signal?.aborted]).toEqual([true, false])
  for (const user of ['d', 'e', 'f']) expect((await begun(user)).signal?.aborted).toBe(false)
})

test('a store that does not answer in time counts as failed, and its late answer is not kept', async () => {
  const made = manual({ fetch: { timeoutMs: 500 } })
  put(made, 'a', 1)
  const answer = made.serving.getFeatures(request(['a']))
  await made.turn()
  made.clock.advance(500)
  expect(await statuses(answer)).toEqual([5])
  expect(made.store.calls[0]!.signal?.aborted).toBe(true)
  expect(made.faults).toMatchObject([{ kind: 'fetch', error: { message: expect.stringContaining('fetch-timeout') } }])
  made.store.calls[0]!.answer()
  await made.turn()
  expect(made.serving.stats()).toMatchObject({ cacheEntries: 0, unavailableKeys: 1 })
})

test('an expired row stands in for a store that fails, flagged, up to its age limit and not for FRESH', async () => {
  const made = manual({ cache: { ttlMs: 1000, staleIfErrorMs: 5000 } })
  put(made, 'a', 1)
  const failing = async (consistency = 0): Promise<{ stale: readonly number[]; status: number }> => {
    const calls = made.store.calls.length
    const answer = made.serving.getFeatures(request(['a', 'b'], consistency))
    await made.turn()
    made.store.calls[calls]!.fail(new Error('down'))
    const [vector] = decodeResponse(await answer).vectors
    return { stale: vector!.stale_views, status: vector!.statuses[0] ?? 1 }
  }
  const first = made.serving.getFeatures(request(['a']))
  await made.turn()
  made.store.calls[0]!.answer()
  await first
  made.clock.advance(1001)
  expect(await failing()).toEqual({ stale: [0], status: 1 })
  expect(await failing(FRESH)).toEqual({ stale: [], status: 5 })
  made.serving.invalidate('all')
  expect(await failing()).toEqual({ stale: [0], status: 1 })
  made.clock.advance(4000)
  expect(await failing()).toEqual({ stale: [], status: 5 })
  expect(made.serving.stats().staleServed).toBe(2)
})

test('more keys in the air than allowed refuse a request, naming the limit', async () => {
  const made = manual({ fetch: { pendingKeysMax: 3 } })
  const waiting = made.serving.getFeatures(request(['a', 'b']))
  const refused = async (): Promise<Buffer> => await made.serving.getFeatures(request(['c', 'd']))
  await expect(refused()).rejects.toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    message: expect.stringContaining('fetch-pending-max'),
  })
  await made.turn()
  made.store.calls[0]!.answer()
  expect(await statuses(waiting)).toEqual([3, 3])
})

test('an own write is seen by the next cached request, also while an older read is under way', async () => {
  const made = manual()
  put(made, 'a', 1)
  const before = made.serving.getFeatures(request(['a']))
  await made.turn()
  put(made, 'a', 2)
  made.serving.applied(keyOf(counter, 'a'), made.store.rows.get(keyOf(counter, 'a'))!)
  const after = made.serving.getFeatures(request(['a']))
  await made.turn()
  made.store.calls[0]!.answerWith([rowOf(counter, [1])])
  made.store.calls[1]!.answer()
  expect([await values(before), await values(after)]).toEqual([[1], [2]])
  const newer = rowOf(counter, [3], { position: 3 })
  made.serving.applied(keyOf(counter, 'a'), newer)
  made.serving.applied(keyOf(counter, 'a'), rowOf(counter, [2], { position: 2 }))
  expect(decodeResponse(made.serving.getFeatures(request(['a'])) as Buffer).vectors[0]?.values).toEqual([
    { int32_val: 3 },
  ])
})
