import { expect, test } from 'vitest'
import type { FeatureView, OnDemandView, OnStale } from '../../src/domain/registry.ts'
import { historyRange } from '../../src/offline/history-range.ts'
import { testService, testView } from '../integration/training-set-fixture.ts'

const SPINE = { fromMicros: 1_000, untilMicros: 5_000 }
const WHOLE = { eventMicrosMax: 5_000 }
const CUT = { eventMicrosMin: 800, eventMicrosMax: 5_000 }

const use = { view: 'v', as: 'v', joinKeyMap: {} }
const service = testService({ kind: 'view', use })
const onDemand: OnDemandView = { name: 'o', inputs: [use], request: [], features: [] }

function viewOf(onStale: OnStale, more: Partial<FeatureView> = {}): FeatureView {
  const features = [
    { name: 'plain', type: { kind: 'double' } },
    { name: 'standing', type: { kind: 'double' }, default: 0 },
  ] as const
  return testView('v', { id: 'int64' }, features, { ttlMicros: 100, onStale, ...more })
}
const picked = testService({ kind: 'view', use: { ...use, features: ['plain'] } })

test('a view without a TTL is read from its beginning', () => {
  const { ttlMicros: _, ...endless } = viewOf('null')
  expect(historyRange(endless, picked, {}, SPINE)).toEqual(WHOLE)
})

test.each(['serve', 'null', 'reject'] as const)(
  '%s: where a default tells no row from a stale one, all is read',
  (onStale) => {
    expect(historyRange(viewOf(onStale), service, {}, SPINE)).toEqual(WHOLE)
    expect(historyRange(viewOf(onStale), picked, {}, SPINE)).toEqual(CUT)
  },
)

test('default: a stale row gives what none gives', () => {
  expect(historyRange(viewOf('default'), service, { o: onDemand }, SPINE)).toEqual(CUT)
})

test('reject: nothing may be computed from a stale row, so all is read for an on-demand view', () => {
  const input = { ...onDemand, inputs: [{ ...use, features: ['plain'] }] }
  expect(historyRange(viewOf('reject'), picked, { o: input }, SPINE)).toEqual(WHOLE)
  expect(historyRange(viewOf('null'), picked, { o: input }, SPINE)).toEqual(CUT)
})

test('a default that only an on-demand view reads counts too', () => {
  expect(historyRange(viewOf('null'), picked, { o: onDemand }, SPINE)).toEqual(WHOLE)
})
