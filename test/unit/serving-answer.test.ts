/** Answers in the format VALUES, decoded by protobufjs. */
import { expect, test } from 'vitest'
import { TwinstoreError } from '../../src/domain/errors.ts'
import { SlotStatus } from '../../src/domain/outcome.ts'
import {
  ask,
  bench,
  decodeResponse,
  definitions,
  encodeRequest,
  feature,
  keyOf,
  member,
  NOW_MICROS,
  rowOf,
  use,
  view,
} from './serving-fixture.ts'

const daily = view('airport_daily', [
  feature('flights', 'int64'),
  feature('mean_delay', 'double'),
  feature('late_share', 'double', { default: 0.5 }),
])
const numbers = view('numbers', [feature('n', 'int32')], { joinKeys: [{ name: 'id', type: 'int64' }] })
const predict = {
  name: 'predict',
  members: [
    member('airport_daily', { as: 'origin_airport', joinKeyMap: { airport: 'origin' } }),
    member('airport_daily', {
      as: 'destination_airport',
      joinKeyMap: { airport: 'destination' },
      features: ['late_share', 'flights'],
    }),
  ],
}
const world = definitions({ views: [daily, numbers], services: [predict] })
const pair = (origin: string[], destination: string[], more: object = {}): object => ({
  feature_service: 'predict',
  columns: [
    { name: 'destination', strings: { val: destination } },
    { name: 'origin', strings: { val: origin } },
  ],
  ...more,
})

test('a cached request is answered synchronously, with aliases and picks in the order of the members', async () => {
  const { serving, store } = bench(world)
  store.rows.set(keyOf(daily, 'ATL'), rowOf(daily, [7n, 1.5, 0.25], { eventMicros: -5_000_001 }))
  store.rows.set(keyOf(daily, 'ORD'), rowOf(daily, [8n, -2, 0.75]))
  const request = encodeRequest(pair(['ATL', 'ORD'], ['ORD', 'ORD']))
  const first = await serving.getFeatures(request)
  const second = serving.getFeatures(request)
  expect(second).toBeInstanceOf(Buffer)
  expect(second).toEqual(first)
  const { layout, vectors } = decodeResponse(first)
  expect(layout?.columns.map((column) => `${column.name} ${column.type}`)).toEqual([
    'origin_airport__flights int64',
    'origin_airport__mean_delay double',
    'origin_airport__late_share double',
    'destination_airport__late_share double',
    'destination_airport__flights int64',
  ])
  expect(layout?.columns[3]).toMatchObject({ view: 'destination_airport', feature: 'late_share' })
  expect(layout?.views).toEqual(['origin_airport', 'destination_airport'])
  expect(layout?.fingerprint).toBe(world.registry.fingerprint)
  expect(vectors).toMatchObject([
    {
      values: [{ int64_val: '7' }, { double_val: 1.5 }, { double_val: 0.25 }, { double_val: 0.75 }, { int64_val: '8' }],
      statuses: [],
      event_timestamps: ['-5000001', `${NOW_MICROS}`],
      stale_views: [],
    },
    {
      values: [{ int64_val: '8' }, { double_val: -2 }, { double_val: 0.75 }, { double_val: 0.75 }, { int64_val: '8' }],
    },
  ])
  expect(store.calls.map((call) => call.keys)).toEqual([[keyOf(daily, 'ATL'), keyOf(daily, 'ORD')]])
})

test('an entity without a row is NOT_FOUND with defaults, and that is cached', async () => {
  const { serving, store } = bench(world)
  store.rows.set(keyOf(daily, 'ATL'), rowOf(daily, [7n, null, undefined]))
  const { vectors } = await ask(serving, pair(['ATL'], ['XXX']))
  const { NOT_FOUND, NULL, PRESENT } = SlotStatus
  expect(vectors).toMatchObject([
    {
      values: [{ int64_val: '7' }, { null_val: 0 }, { double_val: 0.5 }, { double_val: 0.5 }, {}],
      statuses: [PRESENT, NULL, NOT_FOUND, NOT_FOUND, NOT_FOUND],
      event_timestamps: [`${NOW_MICROS}`, '0'],
    },
  ])
  expect(vectors[0]!.values[4]).toEqual({})
  expect(serving.getFeatures(encodeRequest(pair(['ATL'], ['XXX'])))).toBeInstanceOf(Buffer)
})

test('the layout is left out while the client knows it, and changes with the definitions', async () => {
  const { serving, source } = bench(world)
  const first = await ask(serving, pair(['ATL'], ['ORD']))
  expect(first.layout?.id).toBe(first.layout_id)
  const known = await ask(serving, pair(['ATL'], ['ORD'], { known_layout: first.layout_id }))
  expect(known).toMatchObject({ layout: null, layout_id: first.layout_id })
  source.current = definitions({ views: [daily], services: [predict], fingerprint: 'f'.repeat(32) })
  const changed = await ask(serving, pair(['ATL'], ['ORD'], { known_layout: first.layout_id }))
  expect(changed.layout?.fingerprint).toBe('f'.repeat(32))
  expect(changed.layout_id).not.toBe(first.layout_id)
})

test('layout ids are stable for ever', async () => {
  const { serving } = bench(world)
  const { layout_id } = await ask(serving, {
    features: { references: ['airport_daily:flights'] },
    columns: [{ name: 'airport', strings: { val: [] } }],
  })
  expect(layout_id).toBe('18167470435033937270')
})

test('references select in their order, also the same view in two places', async () => {
  const { serving, store } = bench(world)
  store.rows.set(keyOf(daily, 'ATL'), rowOf(daily, [7n, 1.5, 0.25]))
  store.rows.set(keyOf(numbers, -3n), rowOf(numbers, [-9]))
  const answer = await ask(serving, {
    features: {
      references: ['airport_daily:late_share', 'numbers:*', 'airport_daily:flights', 'airport_daily:mean_delay'],
    },
    columns: [
      { name: 'airport', list: { val: [{ string_val: 'ATL' }] } },
      { name: 'id', int64s: { val: [-3] } },
    ],
  })
  expect(answer.vectors[0]?.values).toMatchObject([
    { double_val: 0.25 },
    { int32_val: -9 },
    { int64_val: '7' },
    { double_val: 1.5 },
  ])
  expect(answer.layout?.views).toEqual(['airport_daily', 'numbers'])
})

test.each(['serve', 'null', 'default', 'reject'] as const)('a stale row with onStale %s', async (onStale) => {
  const stale = view('stale', daily.features, { ttlMicros: 1_000_000, onStale })
  const risk = {
    name: 'risk',
    inputs: [use('stale')],
    request: [],
    features: [feature('seen', 'string')],
    compute: (row: object) => ({ seen: JSON.stringify(row) }),
  }
  const { serving, store, clock } = bench(
    definitions({
      views: [stale],
      onDemand: [risk],
      services: [{ name: 's', members: [member('stale'), { kind: 'onDemand', view: 'risk' }] }],
    }),
  )
  store.rows.set(keyOf(stale, 'ATL'), rowOf(stale, [7n, null, undefined]))
  const request = { feature_service: 's', columns: [{ name: 'airport', strings: { val: ['ATL'] } }] }
  clock.advance(1000)
  expect((await ask(serving, request)).vectors[0]!.statuses.slice(0, 3)).toEqual([1, 2, 3])
  clock.advance(1)
  const vector = (await ask(serving, request)).vectors[0]!
  const { OUTSIDE_MAX_AGE: OLD, PRESENT } = SlotStatus
  expect(vector.statuses).toEqual([OLD, OLD, OLD, onStale === 'reject' ? OLD : PRESENT])
  const unset = {}
  const nul = { null_val: 0 }
  expect(vector.values).toEqual(
    {
      serve: [
        { int64_val: '7' },
        nul,
        { double_val: 0.5 },
        { string_val: '{"stale":{"flights":7,"mean_delay":null,"late_share":0.5},"request":{}}' },
      ],
      null: [
        nul,
        nul,
        nul,
        { string_val: '{"stale":{"flights":null,"mean_delay":null,"late_share":null},"request":{}}' },
      ],
      default: [
        unset,
        unset,
        { double_val: 0.5 },
        { string_val: '{"stale":{"flights":null,"mean_delay":null,"late_share":0.5},"request":{}}' },
      ],
      reject: [unset, unset, unset, unset],
    }[onStale],
  )
  expect(vector.event_timestamps).toEqual([`${NOW_MICROS}`])
})

test('rows of an older or a newer schema fit the layout', async () => {
  const grown = view('grown', daily.features, { schemaId: 2, schemaFeatureCounts: [1, 3] })
  const { serving, store } = bench(definitions({ views: [grown] }))
  store.rows.set(keyOf(grown, 'old'), rowOf(grown, [1n], { schemaId: 1 }))
  const newer = { ...grown, features: [...grown.features, feature('later', 'string')] }
  store.rows.set(keyOf(grown, 'new'), rowOf(newer, [1n, 2, 3, 'x'], { schemaId: 3 }))
  const { vectors } = await ask(serving, {
    features: { references: ['grown:*'] },
    columns: [{ name: 'airport', strings: { val: ['old', 'new'] } }],
  })
  expect(vectors[0]).toMatchObject({ statuses: [1, 3, 3], values: [{ int64_val: '1' }, {}, { double_val: 0.5 }] })
  expect(vectors[1]).toMatchObject({ statuses: [], values: [{ int64_val: '1' }, { double_val: 2 }, { double_val: 3 }] })
  expect(vectors[1]?.values).toHaveLength(3)
})

test('a failing computation and a faulty row degrade their own slots and are reported', async () => {
  const half = {
    name: 'half',
    inputs: [use('airport_daily', { features: ['flights'] })],
    request: [feature('hour', 'int64'), feature('scale', 'double', { default: 2 })],
    features: [feature('value', 'double')],
    compute: (row: Readonly<Record<string, Readonly<Record<string, unknown>>>>) => {
      if (row['request']!['hour'] === 13) throw new Error('thirteen')
      return { value: (row['airport_daily']!['flights'] as number) * (row['request']!['scale'] as number) }
    },
  }
  const { serving, store, faults } = bench(definitions({ views: [daily], onDemand: [half] }))
  store.isAutomatic = false
  const asked = ask(serving, {
    features: { references: ['half:*', 'airport_daily:flights'] },
    columns: [
      { name: 'airport', strings: { val: ['ATL', 'ATL', 'BAD'] } },
      { name: 'hour', int64s: { val: [1, 13, 1] } },
    ],
  })
  await new Promise((resolve) => setImmediate(resolve))
  store.calls[0]!.answerWith([rowOf(daily, [7n, 1, 1]), new TwinstoreError('DATA_LOSS', 'corrupt row')])
  const { vectors } = await asked
  expect(vectors.map((vector) => vector.statuses)).toEqual([[], [5, 1], [5, 5]])
  expect(vectors[0]?.values).toMatchObject([{ double_val: 14 }, { int64_val: '7' }])
  expect(vectors[1]?.values[0]).toEqual({})
  expect(faults).toMatchObject([
    { kind: 'row', key: keyOf(daily, 'BAD'), error: { code: 'DATA_LOSS' } },
    { kind: 'onDemand', view: 'half', rowCount: 1, error: { message: expect.stringContaining('thirteen') } },
  ])
})
