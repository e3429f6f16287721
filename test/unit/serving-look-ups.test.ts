/** Rows that are not online and are looked for in the history: when, how many together, and what becomes of them. */
import { expect, test } from 'vitest'
import { TwinstoreError } from '../../src/domain/errors.ts'
import {
  type Bench,
  bench,
  decodeResponse,
  definitions,
  encodeRequest,
  feature,
  keyOf,
  NOW_MICROS,
  rowOf,
  view,
} from './serving-fixture.ts'

const FRESH = 2
const TIMEOUT_MS = 200
const TTL_MICROS = 60_000_000
const profile = view('profile', [feature('n', 'int32')], {
  ttlMicros: TTL_MICROS,
  onMiss: { budgetPerSecond: 4, timeoutMs: TIMEOUT_MS },
})
const plain = view('plain', [feature('n', 'int32', { default: 7 })])
const world = definitions({ views: [profile, plain] })

interface Slot {
  readonly n: unknown
  readonly status: number
  readonly fromHistory: boolean
}

const ask = async (made: Bench, ids: readonly string[], more: object = {}): Promise<Slot[]> => {
  const request = {
    features: { references: ['profile:n'] },
    columns: [{ name: 'airport', strings: { val: ids } }],
    ...more,
  }
  const { vectors } = decodeResponse(await made.serving.getFeatures(encodeRequest(request)))
  return vectors.map(({ values, statuses, history_views }) => ({
    n: values[0]!['int32_val'],
    status: statuses[0] ?? 1,
    fromHistory: history_views.length === 1,
  }))
}
const archive = ({ history }: Bench, id: string, n: number, eventMicros = NOW_MICROS): void =>
  void history.rows.set(keyOf(profile, id), rowOf(profile, [n], { position: n, eventMicros }))
const found = (n: number): Slot => ({ n, status: 1, fromHistory: true })
const MISSING: Slot = { n: undefined, status: 3, fromHistory: false }

function manual(more: Parameters<typeof bench>[1] = {}): Bench {
  const made = bench(world, more)
  made.history.isAutomatic = false
  return made
}

test('all misses of a turn are one look-up; what it finds is flagged, and cached like a row', async () => {
  const made = bench(world)
  archive(made, 'a', 1)
  archive(made, 'b', 2)
  made.store.rows.set(keyOf(profile, 'c'), rowOf(profile, [3]))
  const answers = await Promise.all([ask(made, ['a', 'c', 'x']), ask(made, ['b', 'a'])])
  const online = { n: 3, status: 1, fromHistory: false }
  expect(answers).toEqual([
    [found(1), online, MISSING],
    [found(2), found(1)],
  ])
  expect(made.history.calls.map(({ keys }) => keys)).toEqual([['a', 'x', 'b'].map((id) => keyOf(profile, id))])
  expect(await ask(made, ['a', 'x', 'b'])).toEqual([found(1), MISSING, found(2)])
  expect(made.history.calls).toHaveLength(1)
  expect(made.serving.stats()).toMatchObject({
    lookUps: 1,
    lookedUpKeys: 3,
    foundKeys: 2,
    refusedKeys: 0,
    failedKeys: 0,
  })
})

test('a row that is found and is older than the TTL is stale, as an online row is', async () => {
  const made = bench(world)
  archive(made, 'a', 1, NOW_MICROS - TTL_MICROS - 1)
  expect(await ask(made, ['a'])).toEqual([{ n: 1, status: 4, fromHistory: true }])
})

test('a view without look-ups neither waits for them nor begins any', async () => {
  const made = manual()
  const request = { features: { references: ['plain:n'] }, columns: [{ name: 'airport', strings: { val: ['a'] } }] }
  const waiting = ask(made, ['a'])
  const { vectors } = decodeResponse(await made.serving.getFeatures(encodeRequest(request)))
  expect(vectors[0]).toMatchObject({ values: [{ int32_val: 7 }], statuses: [3], history_views: [] })
  await made.turn()
  made.history.calls[0]!.answer()
  expect(await waiting).toEqual([MISSING])
  expect(made.history.calls).toHaveLength(1)
})

test('what is beyond the budget is missing, is counted, and is looked up when the budget is there again', async () => {
  const made = bench(world)
  const ids = ['a', 'b', 'c', 'd', 'e', 'f']
  for (const [index, id] of ids.entries()) archive(made, id, index)
  const first = await ask(made, ids)
  expect(first.map(({ fromHistory }) => fromHistory)).toEqual([true, true, true, true, false, false])
  expect(first[5]).toEqual(MISSING)
  expect(made.serving.stats()).toMatchObject({ lookedUpKeys: 4, refusedKeys: 2 })
  // In the second in which the budget fills again, nobody asks the online store in vain either.
  const reads = made.store.calls.length
  made.clock.advance(900)
  expect(await ask(made, ids)).toEqual(first)
  expect(made.store.calls).toHaveLength(reads)
  made.clock.advance(101)
  expect((await ask(made, ids)).every(({ fromHistory }) => fromHistory)).toBe(true)
  expect(made.serving.stats()).toMatchObject({ lookedUpKeys: 6, refusedKeys: 2, lookUps: 2 })
})

test('budget that is not used is kept for a second, not longer', async () => {
  const made = bench(world)
  made.clock.advance(3_600_000)
  await ask(made, ['a', 'b', 'c', 'd', 'e'])
  expect(made.serving.stats()).toMatchObject({ lookedUpKeys: 4, refusedKeys: 1 })
})

test('a look-up that is late is a miss, its work is stopped, and a later request tries again', async () => {
  const made = manual()
  archive(made, 'a', 1)
  const late = ask(made, ['a'])
  await made.turn()
  made.clock.advance(TIMEOUT_MS)
  expect(await late).toEqual([MISSING])
  expect(made.history.calls[0]!.signal.aborted).toBe(true)
  expect(made.serving.stats()).toMatchObject({ failedKeys: 1 })
  expect(made.faults).toMatchObject([
    { kind: 'lookUp', view: 'profile', keyCount: 1, error: { code: 'DEADLINE_EXCEEDED' } },
  ])
  // Its answer changes nothing any more.
  made.history.calls[0]!.answer()
  await made.turn()
  expect(await ask(made, ['a'])).toEqual([MISSING])
  made.clock.advance(1001)
  made.history.isAutomatic = true
  expect(await ask(made, ['a'])).toEqual([found(1)])
})

test('a stall longer than the time limit ends what gathers; what comes after it is looked up', async () => {
  const deferred: (() => void)[] = []
  const made = bench(world, { fetch: { defer: (run) => deferred.push(run) } })
  archive(made, 'b', 2)
  const endTurn = async (): Promise<void> => {
    for (const run of deferred.splice(0)) run()
    await made.turn()
  }
  const first = ask(made, ['a'])
  await endTurn()
  // Missing, and gathering until the end of the turn, when the clock jumps.
  made.clock.advance(TIMEOUT_MS)
  const second = ask(made, ['b'])
  for (const run of deferred.splice(1)) run()
  await made.turn()
  await endTurn()
  await endTurn()
  expect(await Promise.all([first, second])).toEqual([[MISSING], [found(2)]])
})

test('a look-up that fails is a miss and a fault for the log', async () => {
  const made = manual()
  const failing = ask(made, ['a', 'b'])
  await made.turn()
  made.history.calls[0]!.fail(new Error('the folder is gone'))
  expect(await failing).toEqual([MISSING, MISSING])
  expect(made.faults).toMatchObject([{ kind: 'lookUp', keyCount: 2, error: { code: 'INTERNAL' } }])
})

test('a write during a look-up wins: a request after it sees it, and what was found is not kept', async () => {
  const made = manual()
  archive(made, 'a', 1)
  const before = ask(made, ['a'])
  await made.turn()
  const row = rowOf(profile, [2], { position: 2 })
  made.store.rows.set(keyOf(profile, 'a'), row)
  made.serving.applied(keyOf(profile, 'a'), row)
  const after = { n: 2, status: 1, fromHistory: false }
  expect(await ask(made, ['a'])).toEqual([after])
  made.history.calls[0]!.answer()
  expect(await before).toEqual([found(1)])
  expect(await ask(made, ['a'])).toEqual([after])
})

test('a request joins a look-up that is under way, unless it is FRESH', async () => {
  const made = manual()
  archive(made, 'a', 1)
  const first = ask(made, ['a'])
  await made.turn()
  const joining = ask(made, ['a'])
  const fresh = ask(made, ['a'], { consistency: FRESH })
  await made.turn()
  await made.turn()
  expect(made.history.calls).toHaveLength(2)
  for (const call of made.history.calls) call.answer()
  expect(await Promise.all([first, joining, fresh])).toEqual([[found(1)], [found(1)], [found(1)]])
})

test('with all jobs busy misses wait, and go out together', async () => {
  const generous = { ...profile, onMiss: { budgetPerSecond: 1000, timeoutMs: TIMEOUT_MS } }
  const made = bench(definitions({ views: [generous] }), { lookUps: { jobsMax: 1, batchKeysMax: 3 } })
  made.history.isAutomatic = false
  const answers: Promise<Slot[]>[] = []
  for (const id of ['a', 'b', 'c', 'd', 'e']) {
    archive(made, id, id.charCodeAt(0))
    answers.push(ask(made, [id]))
    await made.turn()
    await made.turn()
  }
  const sizes = (): number[] => made.history.calls.map(({ keys }) => keys.length)
  expect(sizes()).toEqual([1])
  for (const expected of [
    [1, 3],
    [1, 3, 1],
  ]) {
    made.history.calls.at(-1)!.answer()
    await made.turn()
    expect(sizes()).toEqual(expected)
  }
  made.history.calls.at(-1)!.answer()
  expect((await Promise.all(answers)).flat().every(({ fromHistory }) => fromHistory)).toBe(true)
})

test('the online store does not answer: that is no miss, and nothing is looked up', async () => {
  const made = bench(world)
  made.store.isAutomatic = false
  const asked = ask(made, ['a'])
  await made.turn()
  made.store.calls[0]!.fail(new Error('down'))
  expect(await asked).toEqual([{ n: undefined, status: 5, fromHistory: false }])
  expect(made.history.calls).toHaveLength(0)
})

test('a shard that is down is unavailable while the misses of others are looked up', async () => {
  const made = manual()
  made.store.isAutomatic = false
  archive(made, 'a', 1)
  const asked = ask(made, ['a', 'b'])
  await made.turn()
  made.store.calls[0]!.answerWith([null, new TwinstoreError('UNAVAILABLE', 'shard 1 is down')])
  await made.turn()
  made.history.calls[0]!.answer()
  expect(await asked).toEqual([found(1), { n: undefined, status: 5, fromHistory: false }])
})

test('a job that ends while misses gather takes them along, and leaves out none that comes in the same turn', async () => {
  const made = bench(world, { lookUps: { jobsMax: 1 } })
  made.history.isAutomatic = false
  made.store.isAutomatic = false
  for (const [index, id] of ['a', 'b', 'c'].entries()) archive(made, id, index)
  const first = ask(made, ['a'])
  await made.turn()
  made.store.calls[0]!.answer()
  await made.turn()
  const others = [ask(made, ['b'])]
  await made.turn()
  others.push(ask(made, ['c']))
  await made.turn()
  // In one turn: a miss, the end of the job before, another miss.
  made.store.calls[1]!.answer()
  made.history.calls[0]!.answer()
  made.store.calls[2]!.answer()
  await made.turn()
  for (let call = 1; call < 3; call++) {
    made.history.calls[call]?.answer()
    await made.turn()
  }
  expect(await Promise.all([first, ...others])).toEqual([[found(0)], [found(1)], [found(2)]])
})
