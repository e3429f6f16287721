/** The verdict on one key against a model of the two stores, with writes, archiving and syncs between any two reads. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TwinstoreError } from '../../src/domain/errors.ts'
import type { FeatureView } from '../../src/domain/registry.ts'
import { compareRowVersions, encodeRow } from '../../src/domain/row-codec.ts'
import { encodeValue } from '../../src/domain/value-codec.ts'
import type { Position } from '../../src/domain/version.ts'
import { judge, type Look, type Verdict } from '../../src/parity/verdict.ts'
import { NOW_MICROS, route, viewOf } from './writing-fixture.ts'

function row(event: number, position: number, value = 1): Buffer {
  const values = [encodeValue({ kind: 'double' }, value) as Buffer]
  return encodeRow({ schemaId: 1, eventMicros: event, createdMicros: position, position: position as Position, values })
}

/** One key in two stores that keep their promises. */
class Twins {
  online: Buffer | null = null
  outbox: Buffer[] = []
  history: Buffer[] = []
  unseeded: Buffer[] = []
  #position = 0

  write(event: number): void {
    const written = row(event, ++this.#position, this.#position)
    this.outbox.push(written)
    this.#show(written)
  }

  commit(): void {
    this.history = [...new Set([...this.history, ...this.outbox])]
  }

  trim(): void {
    this.outbox = this.outbox.filter((waiting) => !this.history.includes(waiting))
  }

  syncCommit(event: number): void {
    const synced = row(event, ++this.#position, this.#position)
    this.history.push(synced)
    this.unseeded.push(synced)
  }

  syncSeed(): void {
    for (const synced of this.unseeded) this.#show(synced)
    this.unseeded = []
  }

  #show(candidate: Buffer): void {
    if (this.online === null || compareRowVersions(candidate, this.online) > 0) this.online = candidate
  }
}

type Step = (twins: Twins) => void
const event = fc.integer({ min: 1, max: 4 })
const step: fc.Arbitrary<Step> = fc.oneof(
  event.map(
    (at): Step =>
      (twins) =>
        twins.write(at),
  ),
  event.map(
    (at): Step =>
      (twins) =>
        twins.syncCommit(at),
  ),
  fc.constant<Step>((twins) => twins.commit()),
  fc.constant<Step>((twins) => twins.trim()),
  fc.constant<Step>((twins) => twins.syncSeed()),
)
const steps = fc.array(step, { maxLength: 4 })

function newest(rows: readonly Buffer[]): Buffer | undefined {
  return rows.toSorted(compareRowVersions).at(-1)
}

const READS: { readonly [K in keyof Look]: (twins: Twins) => Look[K] } = {
  before: (twins) => twins.online,
  waiting: (twins) => newest(twins.outbox),
  history: (twins) => newest(twins.history),
  isSynced: (twins) => twins.unseeded.length === 0,
  after: (twins) => twins.online,
}
const ORDER: readonly (keyof Look)[] = ['before', 'waiting', 'history', 'isSynced', 'after']

/** A look with these steps before each of its reads. */
function lookAt(twins: Twins, between: readonly (readonly Step[])[], order = ORDER): Look {
  const found = order.map((read, index) => {
    for (const each of between[index] ?? []) each(twins)
    return [read, READS[read](twins)]
  })
  return Object.fromEntries(found) as unknown as Look
}

const HARMLESS = ['equal', 'pending', 'syncing', 'absent', 'unsettled']

const betweenReads = fc.array(steps, { minLength: ORDER.length, maxLength: ORDER.length })

test('whatever goes on between the reads, stores that keep their promises are never accused', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(betweenReads, (between) => {
      const { kind } = judge(route, lookAt(new Twins(), between), NOW_MICROS)
      seen.add(kind)
      return HARMLESS.includes(kind)
    }),
    { numRuns: 3000 },
  )
  // A walk that never meets a case says nothing of it.
  expect([...seen].toSorted()).toEqual(HARMLESS.toSorted())
})

test.each<[string, readonly (keyof Look)[]]>([
  ['the history before the outbox', ['before', 'history', 'waiting', 'isSynced', 'after']],
  ['the online row at the beginning only', ['before', 'after', 'waiting', 'history', 'isSynced']],
  ['the online row at the end only', ['waiting', 'history', 'isSynced', 'before', 'after']],
  ['the notes of syncs before the history', ['before', 'waiting', 'isSynced', 'history', 'after']],
])('it is the order of the reads that makes it so: with %s stores are accused', (_, order) => {
  const isHarmless = (between: readonly (readonly Step[])[]): boolean =>
    HARMLESS.includes(judge(route, lookAt(new Twins(), between, order), NOW_MICROS).kind)
  expect(fc.check(fc.property(betweenReads, isHarmless), { numRuns: 20_000 }).failed).toBe(true)
})

test('in stores at rest every fault is found, and is what it is', () => {
  const settled = fc.tuple(steps, steps).map((all) => {
    const twins = new Twins()
    twins.write(1)
    for (const each of all.flat()) each(twins)
    twins.commit()
    twins.trim()
    twins.syncSeed()
    return twins
  })
  fc.assert(
    fc.property(settled, (twins) => {
      const verdict = (): Verdict['kind'] => judge(route, lookAt(twins, []), NOW_MICROS).kind
      const good = twins.online!
      expect(verdict()).toBe('equal')
      twins.online = null
      expect(verdict()).toBe('missingOnline')
      twins.online = row(0, 1)
      expect(verdict()).toBe('staleOnline')
      const [at, position] = [Number(good.readBigUInt64BE(10) & 0xffn), Number(good.readBigUInt64BE(18))]
      twins.online = row(at, position, -1)
      expect(verdict()).toBe('mismatch')
      twins.online = good
      twins.history = twins.history.filter((kept) => kept !== good)
      expect(verdict()).toBe('missingOffline')
    }),
  )
})

test('a row that is in the outbox only is expected online as one of the history is', () => {
  const waiting = row(2, 2)
  const look: Look = { before: waiting, waiting, history: row(1, 1), isSynced: true, after: waiting }
  expect(judge(route, look, NOW_MICROS).kind).toBe('pending')
  expect(judge(route, { ...look, before: null, after: null }, NOW_MICROS)).toMatchObject({
    kind: 'missingOnline',
    expected: waiting,
  })
  const stale = row(1, 1)
  expect(judge(route, { ...look, before: stale, after: stale }, NOW_MICROS).kind).toBe('staleOnline')
})

test('a shard that does not answer is not accused, a damaged row is, with what is to replace it', () => {
  const history = row(1, 1)
  const look = { waiting: undefined, history, isSynced: true }
  const down = new TwinstoreError('UNAVAILABLE', 'shard 3 does not answer')
  expect(judge(route, { ...look, before: history, after: down }, NOW_MICROS)).toEqual({
    kind: 'unchecked',
    error: down,
  })
  const damaged = new TwinstoreError('DATA_LOSS', 'corrupt row')
  expect(judge(route, { ...look, before: damaged, after: damaged }, NOW_MICROS)).toEqual({
    kind: 'unreadable',
    error: damaged,
    expected: history,
  })
  expect(judge(route, { ...look, before: damaged, after: history }, NOW_MICROS).kind).toBe('unsettled')
})

test('past the TTL: a row that answers still show is expected online; one that they do not show is counted apart', () => {
  const ttlMicros = 1_000_000
  const old = row(NOW_MICROS - ttlMicros - 1, 1)
  const fresh = row(NOW_MICROS - ttlMicros, 1)
  const of = (onStale: FeatureView['onStale']): FeatureView => viewOf({ ...route, ttlMicros, onStale })
  const kind = (view: FeatureView, history: Buffer | undefined, online: Buffer | null): string =>
    judge(view, { before: online, waiting: undefined, history, isSynced: true, after: online }, NOW_MICROS).kind
  expect(kind(of('serve'), old, old)).toBe('expired')
  expect(kind(of('serve'), old, null)).toBe('missingOnline')
  expect(kind(of('null'), old, old)).toBe('expired')
  expect(kind(of('null'), old, null)).toBe('expired')
  expect(kind(of('null'), fresh, null)).toBe('missingOnline')
  // The history is complete, however old.
  expect(kind(of('null'), undefined, old)).toBe('missingOffline')
})
