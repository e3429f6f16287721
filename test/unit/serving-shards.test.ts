/** Several shards, replicas and hedges: which call asks whom for what, and who gets the answer. */
import { expect, test } from 'vitest'
import { shardOf, splitRowKey } from '../../src/domain/entity-key.ts'
import { TwinstoreError } from '../../src/domain/errors.ts'
import { faultLog } from '../../src/serving/fault-log.ts'
import {
  type Bench,
  bench,
  decodeResponse,
  definitions,
  encodeRequest,
  FakeClock,
  feature,
  keyOf,
  rowOf,
  view,
} from './serving-fixture.ts'

const FRESH = 2
const SHARDS = 4
const counter = view('counter', [feature('n', 'int32')])
const world = definitions({ views: [counter] })
const HEDGED = { timeoutMs: 1000, hedgeAfterMs: 10, hedgeBudgetPercent: 100, replicaLagMaxMs: 5000 }

const key = (id: string) => keyOf(counter, id)
const row = (n: number): Buffer => rowOf(counter, [n], { position: n })
const shardOfId = (id: string): number => shardOf(splitRowKey(key(id)).entityKey, SHARDS)
/** An id of each shard. */
const IDS = Array.from({ length: SHARDS }, (_, shard) => {
  for (let n = 0; ; n++) if (shardOfId(`id${n}`) === shard) return `id${n}`
})

function ask(made: Bench, ids: readonly string[], consistency = 0): Buffer | Promise<Buffer> {
  const columns = [{ name: 'airport', strings: { val: ids } }]
  return made.serving.getFeatures(encodeRequest({ features: { references: ['counter:n'] }, columns, consistency }))
}
/** The values of an answer; the status where there is none. */
const seen = async (answer: Buffer | Promise<Buffer>): Promise<unknown[]> =>
  decodeResponse(await answer).vectors.map((vector) =>
    vector.statuses.length === 0 || vector.statuses[0] === 1
      ? vector.values[0]?.['int32_val']
      : `status ${vector.statuses[0]}`,
  )
async function isWaiting(made: Bench, answer: Buffer | Promise<Buffer>): Promise<boolean> {
  let isThere = false
  void Promise.resolve(answer).then(() => {
    isThere = true
  })
  await made.turn()
  return !isThere
}

function manual(fetch: NonNullable<Parameters<typeof bench>[1]>['fetch'] = {}, shardCount = 1): Bench {
  const made = bench(world, { fetch: { ...fetch } })
  made.store.isAutomatic = false
  made.store.shardCount = shardCount
  return made
}

test('the keys of a turn go out shard by shard, each within the batch limit', async () => {
  const made = manual({ batchKeysMax: 2 }, SHARDS)
  const ids = Array.from({ length: 40 }, (_, index) => `u${index}`)
  void ask(made, ids.slice(0, 25))
  void ask(made, ids.slice(20))
  await made.turn()
  const { calls } = made.store
  expect(calls.flatMap((call) => call.keys).sort()).toEqual(ids.map(key).sort())
  for (const call of calls) {
    expect(new Set(call.keys.map((each) => shardOf(splitRowKey(each).entityKey, SHARDS))).size).toBe(1)
    expect(call.keys.length).toBeLessThanOrEqual(2)
  }
  for (const call of calls) call.answer()
})

test('a shard that hangs costs its own slots and holds up nobody else', async () => {
  const made = manual({}, SHARDS)
  IDS.forEach((id, index) => void made.store.rows.set(key(id), row(index + 1)))
  const all = ask(made, IDS)
  const others = ask(made, IDS.slice(1))
  await made.turn()
  for (const call of made.store.calls) if (call.keys[0] !== key(IDS[0]!)) call.answer()
  expect(await seen(others)).toEqual([2, 3, 4])
  expect(await isWaiting(made, all)).toBe(true)
  made.clock.advance(1000)
  expect(await seen(all)).toEqual(['status 5', 2, 3, 4])
  expect(made.faults).toMatchObject([{ kind: 'fetch', keyCount: 1, error: { code: 'DEADLINE_EXCEEDED' } }])
})

test('a hedge answers who waits and who comes later, but L1 gets the row of the primary', async () => {
  const made = manual(HEDGED)
  const first = ask(made, ['a'])
  await made.turn()
  made.clock.advance(10)
  await made.turn()
  const [primary, replica] = made.store.calls
  expect([primary!.mayLag, replica!.mayLag]).toEqual([false, true])
  replica!.answerWith([row(1)])
  expect(await seen(first)).toEqual([1])
  expect(await seen(ask(made, ['a']))).toEqual([1])
  expect(made.store.calls).toHaveLength(2)
  expect(made.serving.stats()).toMatchObject({ cacheEntries: 0, hedges: 1, hedgedKeys: 1 })
  primary!.answerWith([row(2)])
  await made.turn()
  expect(await seen(ask(made, ['a']))).toEqual([2])
  expect(made.serving.stats()).toMatchObject({ cacheEntries: 1, unavailableKeys: 0 })
})

test('no hedge for FRESH requests, for keys changed lately, or beyond the budget', async () => {
  const made = manual({ ...HEDGED, hedgeBudgetPercent: 1 })
  made.serving.applied(key('own'), row(1))
  made.serving.invalidate([key('told')])
  made.serving.invalidate('all')
  void ask(made, ['own', 'told', 'fresh', 'free'])
  void ask(made, ['fresh'], FRESH)
  await made.turn()
  made.clock.advance(10)
  await made.turn()
  expect(made.store.calls.slice(1).map((call) => call.keys)).toEqual([[key('free')]])
  made.clock.advance(5001)
  for (let n = 0; n < 30; n++) {
    void ask(made, [`x${n}`])
    await made.turn()
    made.clock.advance(10)
  }
  expect(made.store.calls.filter((call) => call.mayLag)).toHaveLength(10)
})

test("a replica's row that is older than what L1 had, or damaged, is not given to anybody", async () => {
  const made = manual({ ...HEDGED, timeoutMs: 100_000 })
  const before = ask(made, ['a', 'b'])
  await made.turn()
  made.store.calls[0]!.answerWith([row(5), null])
  await before
  made.clock.advance(60_001)
  const after = ask(made, ['a', 'b'])
  await made.turn()
  made.clock.advance(10)
  made.store.calls[2]!.answerWith([row(4), new TwinstoreError('DATA_LOSS', 'corrupt')])
  expect(await isWaiting(made, after)).toBe(true)
  made.store.calls[1]!.answerWith([row(6), row(7)])
  expect(await seen(after)).toEqual([6, 7])
  expect(made.faults).toEqual([])
})

test('while the primary fails at once, a replica answers; when both fail, the slots are UNAVAILABLE', async () => {
  const made = manual(HEDGED)
  const served = ask(made, ['a'])
  await made.turn()
  made.store.calls[0]!.fail(new Error('given up'))
  expect(await isWaiting(made, served)).toBe(true)
  made.store.calls[1]!.answerWith([row(1)])
  expect(await seen(served)).toEqual([1])
  const lost = ask(made, ['a'])
  await made.turn()
  made.store.calls[2]!.fail(new Error('given up'))
  await made.turn()
  made.store.calls[3]!.fail(new Error('given up too'))
  expect(await seen(lost)).toEqual(['status 5'])
  expect(made.serving.stats()).toMatchObject({ cacheEntries: 0, unavailableKeys: 1 })
})

test('a store that reports the failure of a shard key by key is one fault, and is hedged like one that rejects', async () => {
  const made = manual(HEDGED)
  const answer = ask(made, ['a', 'b', 'c'])
  await made.turn()
  const down = new TwinstoreError('UNAVAILABLE', 'given up')
  made.store.calls[0]!.answerWith([row(1), down, down])
  await made.turn()
  expect(made.store.calls[1]!.keys).toEqual([key('b'), key('c')])
  made.store.calls[1]!.answerWith([row(2), down])
  expect(await seen(answer)).toEqual([1, 2, 'status 5'])
  expect(made.faults).toEqual([{ kind: 'fetch', keyCount: 2, error: down }])
  expect(made.serving.stats()).toMatchObject({ cacheEntries: 1, hedgedKeys: 1, unavailableKeys: 1 })
})

test('faults are logged up to a rate, and what was left out is counted', () => {
  const clock = new FakeClock()
  const lines: number[] = []
  const report = faultLog(clock, 2, (_fault, leftOut) => lines.push(leftOut))
  const fault = { kind: 'fetch', keyCount: 1, error: new TwinstoreError('UNAVAILABLE', 'down') } as const
  for (let n = 0; n < 10; n++) report(fault)
  clock.advance(1000)
  for (let n = 0; n < 3; n++) report(fault)
  expect(lines).toEqual([0, 0, 8, 0])
})

test('reading from replicas: CACHED asks them, and the primary for what changed lately; FRESH asks the primary', async () => {
  const made = manual({ readFrom: 'replica', replicaLagMaxMs: 5000 })
  made.serving.applied(key('own'), row(1))
  const answer = ask(made, ['a', 'own', 'b'])
  void ask(made, ['b'], FRESH)
  await made.turn()
  expect(made.store.calls.map((call) => [call.mayLag, call.keys])).toEqual([
    [true, [key('a')]],
    [false, [key('own'), key('b')]],
  ])
  made.store.calls[0]!.answerWith([row(7)])
  made.store.calls[1]!.answerWith([row(8), row(9)])
  expect(await seen(answer)).toEqual([7, 8, 9])
  expect(await seen(ask(made, ['a']))).toEqual([7])
  // The replica's row may have been outdated for as long as it may lag, so it lives that much shorter.
  made.clock.advance(55_001)
  expect(await isWaiting(made, ask(made, ['a']))).toBe(true)
})

test("a FRESH read replaces L1's row, unless that one is newer", async () => {
  const made = manual()
  const read = async (n: number): Promise<unknown> => {
    const answer = ask(made, ['a'], FRESH)
    await made.turn()
    made.store.calls.at(-1)!.answerWith([row(n)])
    return (await seen(answer))[0]
  }
  const inL1 = async (): Promise<unknown> => (await seen(ask(made, ['a'])))[0]
  expect([await read(1), await inL1()]).toEqual([1, 1])
  expect([await read(3), await inL1()]).toEqual([3, 3])
  expect([await read(2), await inL1()]).toEqual([2, 3])
})
