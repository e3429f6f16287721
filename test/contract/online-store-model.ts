/**
 * A random walk over a store and over the plainest model of one, compared after every step.
 *
 * Event timestamps, keys and write ids are few, so that ties, late rows, retries and clashes are frequent. One store
 * serves all runs; each run has a view of its own and leaves an empty outbox.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { RowKey } from '../../src/domain/entity-key.ts'
import type { Position } from '../../src/domain/version.ts'
import type { OnlineStore, RowOutcome } from '../../src/online/online-store.ts'
import {
  emptyOutbox,
  keyOf,
  type MakeStore,
  outboxOf,
  rowOf,
  type StoreUnderTest,
  shardOfKey,
  shards,
  wholeOutbox,
} from './online-store-fixture.ts'

const KEYS = ['ATL', 'ORD', 'LAX', 'DEN']
const RUNS = 40

interface Stored {
  readonly event: number
  readonly position: number
  readonly content: string
}

type Step =
  | { readonly kind: 'write'; readonly rows: readonly (readonly [number, number])[]; readonly writeId?: number }
  | { readonly kind: 'seed'; readonly key: number; readonly event: number; readonly shift: number }
  | { readonly kind: 'trim'; readonly entry: number }
  | { readonly kind: 'reserve' }
  | { readonly kind: 'reopen' }

const keyIndex = fc.nat(KEYS.length - 1)
const event = fc.integer({ min: -2, max: 3 })
const rows = fc.array(fc.tuple(keyIndex, event), { maxLength: 5 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: rows.map((rows): Step => ({ kind: 'write', rows })) },
  {
    weight: 4,
    arbitrary: fc.tuple(rows, fc.nat(2)).map(([rows, writeId]): Step => ({ kind: 'write', rows, writeId })),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(keyIndex, event, fc.integer({ min: -3, max: 3 }))
      .map(([key, event, shift]): Step => ({ kind: 'seed', key, event, shift })),
  },
  { weight: 2, arbitrary: fc.nat(10).map((entry): Step => ({ kind: 'trim', entry })) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'reserve' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'reopen' }) },
)

/** What a store should hold; `run` makes keys and write ids that no other run has. */
class Model {
  readonly run: number
  readonly values = new Map<RowKey, Stored>()
  readonly outbox: (Stored & { readonly key: RowKey })[] = []
  readonly writes = new Map<number, { readonly hash: string; readonly outcomes: readonly RowOutcome[] }>()
  lastPosition = 0

  constructor(run: number) {
    this.run = run
  }

  key(index: number): RowKey {
    return keyOf(KEYS[index]!, `run_${this.run}`)
  }

  keys(): RowKey[] {
    return KEYS.map((_, index) => this.key(index))
  }

  put(key: RowKey, row: Stored): RowOutcome['status'] {
    const stored = this.values.get(key)
    const greater =
      stored === undefined || row.event > stored.event || (row.event === stored.event && row.position > stored.position)
    if (greater) this.values.set(key, row)
    return greater ? 'APPLIED' : 'SUPERSEDED'
  }
}

export function modelContract(make: MakeStore): void {
  test('any sequence of operations leaves what the model holds', async () => {
    const underTest = await make({})
    const current = { store: underTest.store }
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const model = new Model(run++)
        for (const [index, next] of steps.entries()) {
          await take(underTest, current, model, next, `step ${index}`)
          await compare(current.store, model)
        }
        await emptyOutbox(current.store)
      }),
      { numRuns: RUNS },
    )
    await current.store.close()
  })
}

async function take(
  underTest: StoreUnderTest,
  current: { store: OnlineStore },
  model: Model,
  next: Step,
  content: string,
): Promise<void> {
  const { store } = current
  switch (next.kind) {
    case 'write':
      return await takeWrite(store, model, next, content)
    case 'seed': {
      const key = model.key(next.key)
      // Near the key's own position, so that ties, just older and just newer seeds all happen.
      const position = (model.values.get(key)?.position ?? 1_000) + next.shift
      const row = { event: next.event, position, content }
      const [status] = await store.seed([{ key, row: rowOf(next.event, content, position) }])
      expect(status).toBe(model.put(key, row))
      return
    }
    case 'trim': {
      const through = model.outbox[next.entry]
      if (through === undefined) return
      const shard = shardOfKey(store, through.key)
      await store.trimOutbox(shard, through.position as Position)
      const kept = model.outbox.filter(
        (entry) => shardOfKey(store, entry.key) !== shard || entry.position > through.position,
      )
      model.outbox.splice(0, model.outbox.length, ...kept)
      return
    }
    case 'reserve': {
      const position = await store.reservePosition()
      expect(position).toBeGreaterThan(model.lastPosition)
      model.lastPosition = position
      return
    }
    case 'reopen':
      await store.close()
      current.store = await underTest.reopen()
  }
}

async function takeWrite(
  store: OnlineStore,
  model: Model,
  next: Extract<Step, { kind: 'write' }>,
  content: string,
): Promise<void> {
  const batch = next.rows.map(([key, event]) => ({ key: model.key(key), row: rowOf(event, content) }))
  const hash = JSON.stringify(next.rows)
  if (next.writeId === undefined) {
    applyToModel(model, next.rows, await store.write(batch), content)
    return
  }
  const known = model.writes.get(next.writeId)
  const attempt = store.write(batch, { writeId: `${model.run}/${next.writeId}`, contentHash: hash })
  if (known !== undefined && known.hash !== hash) {
    await expect(attempt).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
    return
  }
  const outcomes = await attempt
  if (known !== undefined) {
    expect(outcomes).toEqual(known.outcomes)
    return
  }
  applyToModel(model, next.rows, outcomes, content)
  model.writes.set(next.writeId, { hash, outcomes })
}

/** The positions are the store's to choose; the model checks their order and derives everything else from them. */
function applyToModel(
  model: Model,
  rows: readonly (readonly [number, number])[],
  outcomes: readonly RowOutcome[],
  content: string,
): void {
  expect(outcomes).toHaveLength(rows.length)
  for (const [index, [keyIndex, event]] of rows.entries()) {
    const { status, position } = outcomes[index]!
    const key = model.key(keyIndex)
    const earlier = model.outbox.findLast((entry) => entry.key === key)
    expect(position).toBeGreaterThan(earlier?.position ?? 0)
    const row = { event, position, content }
    expect(status).toBe(model.put(key, row))
    model.outbox.push({ key, ...row })
    model.lastPosition = Math.max(model.lastPosition, position)
  }
}

async function compare(store: OnlineStore, model: Model): Promise<void> {
  const keys = model.keys()
  const values = keys.map((key) => model.values.get(key))
  const expected = values.map((stored) => (stored ? rowOf(stored.event, stored.content, stored.position) : null))
  expect(await store.readMany(keys)).toEqual(expected)
  for (const shard of shards(store)) {
    const own = model.outbox.filter((entry) => shardOfKey(store, entry.key) === shard)
    const entries = own.map(({ key, event, position, content }) => ({
      key,
      position,
      row: rowOf(event, content, position),
    }))
    expect(await outboxOf(store, shard)).toEqual(entries)
  }
  const whole = await wholeOutbox(store)
  expect((await store.outboxDepth()).rows).toBe(whole.length)
}
