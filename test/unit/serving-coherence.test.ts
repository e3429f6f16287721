/**
 * G3 as a property: whatever the order of writes, invalidations, store answers, time and requests, a request sees every
 * write it must see. The store takes each read's snapshot when it is sent and answers later, which is the worst it may do.
 * Its replica has each write at some time within the lag that is allowed. Rows that the history has may leave the store, and are
 * then looked up there, which takes its snapshot when it is asked and answers later too.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { RowKey } from '../../src/domain/entity-key.ts'
import type { RowResult } from '../../src/domain/outcome.ts'
import type { FeatureView } from '../../src/domain/registry.ts'
import { compareRowVersions } from '../../src/domain/row-codec.ts'
import { bench, decodeResponse, definitions, encodeRequest, feature, keyOf, rowOf, view } from './serving-fixture.ts'

const TTL_MS = 60_000
const LAG_MS = 20_000
const HEDGE_MS = 10
const counter = view('counter', [feature('n', 'int32')], { joinKeys: [{ name: 'id', type: 'int64' }] })
const KEYS: readonly RowKey[] = [keyOf(counter, 0n), keyOf(counter, 1n)]
const CACHED = 1
const FRESH = 2

/** Nearly always the same key, so that what happens concerns one another. */
const id = fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(1) })
const action = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('write' as const, 'ownWrite' as const), id }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('invalidate' as const, 'acknowledge' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('invalidateAll' as const) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('request' as const),
      id,
      consistency: fc.constantFrom(CACHED, CACHED, FRESH),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('send' as const) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('answer' as const), pick: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fail' as const), pick: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('replicate' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('archive' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), id }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(HEDGE_MS, HEDGE_MS, HEDGE_MS, LAG_MS - 100, LAG_MS + 1, TTL_MS + 1),
    }),
  },
)

const AS_TOLD = { hedgeAfterMs: 0, hedgeBudgetPercent: 0, readFrom: 'primary', timeoutMs: 10_000_000 } as const
const MODES = [
  { mode: 'the primary answers', fetch: AS_TOLD, lookUp: undefined },
  {
    mode: 'what is not online is looked up',
    fetch: AS_TOLD,
    lookUp: { budgetPerSecond: 10_000, timeoutMs: 10_000_000 },
  },
  {
    mode: 'look-ups have a small budget, fail and are late',
    fetch: AS_TOLD,
    lookUp: { budgetPerSecond: 3, timeoutMs: LAG_MS },
  },
  {
    mode: 'replicas are asked for late answers',
    fetch: { ...AS_TOLD, hedgeAfterMs: HEDGE_MS, hedgeBudgetPercent: 100, timeoutMs: TTL_MS - LAG_MS },
    lookUp: undefined,
  },
  {
    mode: 'replicas answer',
    fetch: { ...AS_TOLD, readFrom: 'replica', timeoutMs: TTL_MS - LAG_MS },
    lookUp: undefined,
  },
] as const

test.each(MODES)(
  'a request sees every write that it must see, when $mode',
  async ({ fetch, lookUp }) => {
    const viewed: FeatureView = lookUp === undefined ? counter : { ...counter, onMiss: lookUp }
    const mayMiss = lookUp !== undefined && lookUp.timeoutMs === LAG_MS
    let fromHistory = 0
    let answered = 0
    let lagging = 0
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 20, maxLength: 60, size: 'max' }), async (actions) => {
        const deferred: (() => void)[] = []
        const { serving, store, history, clock, turn } = bench(definitions({ views: [viewed] }), {
          cache: { ttlMs: TTL_MS, staleIfErrorMs: 0 },
          fetch: { ...fetch, replicaLagMaxMs: LAG_MS, defer: (run) => deferred.push(run) },
        })
        store.isAutomatic = false
        history.isAutomatic = false
        store.shardCount = 4
        // `isKnown`: this instance has acknowledged the write or been told of it.
        const written: { readonly id: number; readonly n: number; readonly atMs: number; isKnown: boolean }[] = []
        const replica = new Map<RowKey, Buffer>()
        let replicated = 0
        const snapshots: { readonly answer: () => void; readonly fail: () => void }[] = []
        const acknowledgements: (() => void)[] = []
        let calls = 0
        let lookUps = 0
        let archived = 0
        const removed: RowKey[] = []
        const pending: Promise<void>[] = []

        const write = (which: number, isOwn: boolean): void => {
          const n = written.length + 1
          const row = rowOf(counter, [n], { position: n })
          store.rows.set(KEYS[which]!, row)
          const made = { id: which, n, atMs: clock.ms, isKnown: false }
          written.push(made)
          if (!isOwn) return
          acknowledgements.push(() => {
            serving.applied(KEYS[which]!, row)
            made.isKnown = true
          })
        }
        const request = (which: number, consistency: number): void => {
          const must = written.filter(
            (each) => each.id === which && (consistency === FRESH || each.isKnown || clock.ms - each.atMs > TTL_MS),
          )
          const floor = Math.max(0, ...must.map((each) => each.n))
          const bytes = serving.getFeatures(
            encodeRequest({
              features: { references: ['counter:n'] },
              columns: [{ name: 'id', int64s: { val: [which] } }],
              consistency,
            }),
          )
          const checked = Promise.resolve(bytes).then((answer) => {
            const [vector] = decodeResponse(answer).vectors
            if (vector!.statuses[0] === 5 || vector!.stale_views.length > 0) return
            // A look-up that did not happen: the row may well be there.
            if (mayMiss && vector!.statuses[0] === 3) return
            answered++
            fromHistory += vector!.history_views.length
            expect(Number(vector!.values[0]!['int32_val'] ?? 0)).toBeGreaterThanOrEqual(floor)
          })
          checked.catch(() => {})
          pending.push(checked)
        }
        const replicate = (): void => {
          const next = written[replicated]
          if (next === undefined) return
          replica.set(KEYS[next.id]!, rowOf(counter, [next.n], { position: next.n }))
          replicated++
        }
        const archive = (): void => {
          const next = written[archived]
          if (next === undefined) return
          history.rows.set(KEYS[next.id]!, rowOf(counter, [next.n], { position: next.n }))
          archived++
        }
        /** As the limit on a view does it: only what the history has in this version or a newer one. */
        const remove = (which: number): void => {
          const [stored, kept] = [store.rows.get(KEYS[which]!), history.rows.get(KEYS[which]!)]
          if (stored === undefined || kept === undefined || compareRowVersions(stored, kept) > 0) return
          store.rows.delete(KEYS[which]!)
          removed.push(KEYS[which]!)
        }
        const wait = (ms: number): void => {
          while (replicated < written.length && written[replicated]!.atMs + LAG_MS < clock.ms + ms) replicate()
          clock.advance(ms)
        }
        const send = (): void => {
          for (const run of deferred.splice(0)) run()
        }
        const takeSnapshots = (): void => {
          for (const call of store.calls.slice(calls)) {
            const from = call.mayLag ? replica : store.rows
            if (call.mayLag) lagging++
            const held: RowResult[] = call.keys.map((key) => from.get(key) ?? null)
            snapshots.push({ answer: () => call.answerWith(held), fail: () => call.fail(new Error('down')) })
          }
          calls = store.calls.length
          for (const call of history.calls.slice(lookUps)) {
            const held = call.keys.map((key) => (history.rows.has(key) ? Buffer.from(history.rows.get(key)!) : null))
            const answer = (): void => call.answerWith(held)
            snapshots.push({ answer, fail: mayMiss ? () => call.fail(new Error('gone')) : answer })
          }
          lookUps = history.calls.length
        }

        for (const each of actions) {
          if (each.do === 'write' || each.do === 'ownWrite') write(each.id, each.do === 'ownWrite')
          else if (each.do === 'invalidate') {
            const next = written.find((one) => !one.isKnown)
            if (next !== undefined) {
              serving.invalidate([KEYS[next.id]!])
              next.isKnown = true
            }
            const gone = removed.shift()
            if (gone !== undefined) serving.invalidate([gone])
          } else if (each.do === 'invalidateAll') {
            serving.invalidate('all')
            // A replica is read on, so that what only `all` tells of is seen when the replica has it: within the TTL.
            if (fetch === AS_TOLD) for (const one of written) one.isKnown = true
          } else if (each.do === 'request') request(each.id, each.consistency)
          else if (each.do === 'send') send()
          else if (each.do === 'acknowledge') acknowledgements.shift()?.()
          else if (each.do === 'wait') wait(each.ms)
          else if (each.do === 'replicate') replicate()
          else if (each.do === 'archive') archive()
          else if (each.do === 'remove') {
            if (lookUp !== undefined) remove(each.id)
          } else if ('pick' in each && snapshots.length > 0) {
            const [snapshot] = snapshots.splice(each.pick % snapshots.length, 1)
            snapshot![each.do]()
          }
          // Also before the turn ends: no write may come between a call and its snapshot.
          takeSnapshots()
          await turn()
          takeSnapshots()
        }
        send()
        do {
          takeSnapshots()
          for (const { answer } of snapshots.splice(0)) answer()
          await turn()
          send()
          await turn()
        } while (calls < store.calls.length || lookUps < history.calls.length || snapshots.length > 0)
        await Promise.all(pending)
      }),
      { numRuns: lookUp === undefined ? 200 : 400 },
    )
    expect(answered).toBeGreaterThan(100)
    if (lookUp !== undefined) expect(fromHistory).toBeGreaterThan(20)
    if (fetch !== AS_TOLD) expect(lagging).toBeGreaterThan(20)
  },
  60_000,
)
