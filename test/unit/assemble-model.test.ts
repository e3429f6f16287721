/**
 * Random definitions, rows and requests against a model that thinks in values and never in bytes: both formats, picks,
 * aliases, composite keys, missing values, nulls, defaults, older schemas, staleness, and rows the store cannot give.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { KeyValue, RowKey } from '../../src/domain/entity-key.ts'
import { TwinstoreError } from '../../src/domain/errors.ts'
import type { RowResult } from '../../src/domain/outcome.ts'
import type { DefaultValue, FeatureView, OnStale, ViewUse } from '../../src/domain/registry.ts'
import type { FeatureValue } from '../../src/domain/value-codec.ts'
import {
  bench,
  decodeResponse,
  definitions,
  encodeRequest,
  feature,
  keyOf,
  NOW_MICROS,
  type Response,
  rowOf,
  view,
} from './serving-fixture.ts'

type Value = FeatureValue | null | undefined

/** For each type: some values, a default with the value it means, and how protobufjs shows a value. */
const TYPES: Readonly<
  Record<
    string,
    { values: readonly FeatureValue[]; json: DefaultValue; meant: FeatureValue; shown(value: FeatureValue): object }
  >
> = {
  int64: { values: [0n, -1n, 2n ** 40n], json: '7', meant: 7n, shown: (value) => ({ int64_val: String(value) }) },
  double: { values: [0, -2.5, 1e300], json: 0.5, meant: 0.5, shown: (value) => ({ double_val: value }) },
  float: { values: [0, 1.5], json: 2, meant: 2, shown: (value) => ({ float_val: value }) },
  bool: { values: [true, false], json: true, meant: true, shown: (value) => ({ bool_val: value }) },
  int32: { values: [-1, 300], json: 3, meant: 3, shown: (value) => ({ int32_val: value }) },
  timestamp: {
    values: [-5, 1_700_000_000],
    json: 9,
    meant: 9,
    shown: (value) => ({ unix_timestamp_val: String(value) }),
  },
  'vector<3>': {
    values: [
      [1, 2, -3],
      [0, 0, 0],
    ],
    json: [4, 5, 6],
    meant: [4, 5, 6],
    shown: (value) => ({ float_list_val: { val: value } }),
  },
  'vector<40>': {
    values: [Array.from({ length: 40 }, (_, index) => index)],
    json: new Array<number>(40).fill(1),
    meant: new Array<number>(40).fill(1),
    shown: (value) => ({ float_list_val: { val: value } }),
  },
  string: { values: ['', 'é', 'x'.repeat(200)], json: 'd', meant: 'd', shown: (value) => ({ string_val: value }) },
}
const NUMERIC = Object.keys(TYPES).filter((type) => type !== 'string')
const KEY_VALUES: Readonly<Record<'string' | 'int64', readonly KeyValue[]>> = { string: ['a', 'é'], int64: [0n, -7n] }
const TTL_MICROS = 1_000_000

const featureShape = fc.record({ type: fc.constantFrom(...Object.keys(TYPES)), hasDefault: fc.boolean() })
const rowShape = fc.record({
  kind: fc.constantFrom('row', 'row', 'row', 'none', 'error'),
  isOldSchema: fc.boolean(),
  age: fc.constantFrom(0, TTL_MICROS, TTL_MICROS + 1),
  values: fc.array(fc.constantFrom('value', 'value', 'value', 'value', 'null', 'missing'), {
    minLength: 6,
    maxLength: 6,
  }),
  pick: fc.nat(5),
})
/** Views of nothing but floats, or doubles, are put into a tensor in a way of their own. */
const evenFeatures = fc
  .constantFrom<string>('float', 'double')
  .chain((type) =>
    fc.array(fc.record({ type: fc.constant(type), hasDefault: fc.boolean() }), { minLength: 1, maxLength: 6 }),
  )
const viewShape = fc.record({
  features: fc.oneof(
    { weight: 3, arbitrary: fc.array(featureShape, { minLength: 1, maxLength: 6 }) },
    { weight: 1, arbitrary: evenFeatures },
  ),
  keys: fc.constantFrom<('string' | 'int64')[]>(['string'], ['int64'], ['int64', 'string']),
  hasTtl: fc.boolean(),
  looksUp: fc.boolean(),
  onStale: fc.constantFrom<OnStale>('serve', 'null', 'default', 'reject'),
  rows: fc.array(rowShape, { minLength: 4, maxLength: 4 }),
})
const memberShape = fc.record({
  view: fc.nat(2),
  alias: fc.boolean(),
  picks: fc.option(fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 1 })),
})
const world = fc.record({
  views: fc.array(viewShape, { minLength: 1, maxLength: 3 }),
  members: fc.array(memberShape, { minLength: 1, maxLength: 4 }),
  entities: fc.array(fc.array(fc.nat(1), { minLength: 12, maxLength: 12 }), { maxLength: 4 }),
  isTensor: fc.boolean(),
})

interface Stored {
  readonly result: RowResult
  readonly values: readonly Value[]
  readonly eventMicros: number
}

/** The four entities of a view and what the store says of each. */
function storedRows(
  of: FeatureView,
  shapes: readonly (typeof rowShape extends fc.Arbitrary<infer T> ? T : never)[],
): Map<RowKey, Stored> {
  const lists = of.joinKeys.map((key) => KEY_VALUES[key.type])
  const tuples =
    lists.length === 1 ? lists[0]!.map((value) => [value]) : lists[0]!.flatMap((a) => lists[1]!.map((b) => [a, b]))
  return new Map(
    tuples.map((tuple, index) => {
      const shape = shapes[index]!
      const count = shape.isOldSchema ? Math.ceil(of.features.length / 2) : of.features.length
      const values = of.features.slice(0, count).map((each, at): Value => {
        const known = TYPES[typeText(each.type)]!.values
        return { value: known[(shape.pick + at) % known.length], null: null, missing: undefined }[
          shape.values[at] as 'value'
        ]
      })
      const eventMicros = NOW_MICROS - shape.age
      const schemaId = shape.isOldSchema ? 1 : 2
      const result = {
        row: rowOf(of, values, { eventMicros, schemaId }),
        none: null,
        error: new TwinstoreError('DATA_LOSS', 'corrupt row'),
      }[shape.kind as 'row']
      return [keyOf(of, ...tuple), { result, values, eventMicros }]
    }),
  )
}

function typeText(type: FeatureView['features'][0]['type']): string {
  return type.kind === 'vector' ? `vector<${type.length}>` : type.kind
}

/** What a slot should be: its status, and the value as protobufjs shows it together with what it is. */
function slot(of: FeatureView, ordinal: number, stored: Stored): { status: number; value: Value } {
  const each = of.features[ordinal]!
  const absent = each.default === undefined ? undefined : TYPES[typeText(each.type)]!.meant
  if (stored.result instanceof TwinstoreError) return { status: 5, value: undefined }
  if (stored.result === null) return { status: 3, value: absent }
  const own = stored.values[ordinal]
  if (of.ttlMicros !== undefined && NOW_MICROS - stored.eventMicros > of.ttlMicros) {
    const value = { serve: own === undefined ? absent : own, null: null, default: absent, reject: undefined }[
      of.onStale
    ]
    return { status: 4, value }
  }
  if (own === undefined) return { status: 3, value: absent }
  return own === null ? { status: 2, value: null } : { status: 1, value: own }
}

function floats(type: string, value: Value): number[] {
  const width = type.startsWith('vector') ? Number(/\d+/.exec(type)![0]) : 1
  if (value === null || value === undefined) return new Array<number>(width).fill(Number.NaN)
  return (Array.isArray(value) ? value : [value]).map((item) => Math.fround(Number(item)))
}

test('answers are what the model says', async () => {
  const seen = { statuses: new Set<number>(), tensors: 0, whole: 0 }
  await fc.assert(
    fc.asyncProperty(world, async (shape) => {
      const types = shape.isTensor ? NUMERIC : Object.keys(TYPES)
      const views = shape.views.map((each, index) =>
        view(
          `v${index}`,
          each.features.map(({ type, hasDefault }, at) => {
            const fit = types.includes(type) ? type : 'double'
            return feature(`f${at}`, fit, hasDefault ? { default: TYPES[fit]!.json } : {})
          }),
          {
            schemaId: 2,
            joinKeys: each.keys.map((type) => ({ name: `k_${type}`, type })),
            onStale: each.onStale,
            ...(each.hasTtl ? { ttlMicros: TTL_MICROS } : {}),
            ...(each.looksUp ? { onMiss: { budgetPerSecond: 10_000, timeoutMs: 1000 } } : {}),
          },
        ),
      )
      const stored = new Map(views.flatMap((each, index) => [...storedRows(each, shape.views[index]!.rows)]))
      const uses = shape.members.map(({ view: index, alias, picks }, place): ViewUse => {
        const of = views[index % views.length]!
        const names = picks?.filter((at) => at < of.features.length).map((at) => `f${at}`)
        return {
          view: of.name,
          as: `m${place}`,
          joinKeyMap: alias ? Object.fromEntries(of.joinKeys.map((key) => [key.name, `${key.name}_${place}`])) : {},
          ...(names?.length ? { features: names } : {}),
        }
      })
      const columnOf = (use: ViewUse, name: string): string => use.joinKeyMap[name] ?? name
      const columns = new Map(
        uses.flatMap((use) =>
          views
            .find((each) => each.name === use.view)!
            .joinKeys.map((key) => [columnOf(use, key.name), key.type] as const),
        ),
      )
      const names = [...columns.keys()].sort()
      const keyValueOf = (row: number, name: string): KeyValue =>
        KEY_VALUES[columns.get(name)!][shape.entities[row]![names.indexOf(name)]!]!

      const { serving, store, history } = bench(
        definitions({ views, services: [{ name: 's', members: uses.map((use) => ({ kind: 'view', use })) }] }),
      )
      // Of a view with look-ups all rows are in the history only.
      const looksUp = (of: FeatureView): boolean => of.onMiss !== undefined
      const lookedUp = views.filter(looksUp).map((each) => `${each.name}/`)
      for (const [key, { result }] of stored) if (Buffer.isBuffer(result)) history.rows.set(key, result)
      store.readMany = async (keys) =>
        keys.map((key) => {
          const { result } = stored.get(key)!
          return Buffer.isBuffer(result) && lookedUp.some((prefix) => key.startsWith(prefix)) ? null : result
        })
      const request = encodeRequest({
        feature_service: 's',
        format: shape.isTensor ? 2 : 1,
        columns: names.map((name) => {
          const val = shape.entities.map((_, row) => keyValueOf(row, name))
          return columns.get(name) === 'string'
            ? { name, strings: { val } }
            : { name, int64s: { val: val.map(String) } }
        }),
      })
      const answer = decodeResponse(await serving.getFeatures(request))
      expect(decodeResponse(await serving.getFeatures(request))).toEqual(answer)

      const expected = shape.entities.map((_, row) =>
        uses.map((use) => {
          const of = views.find((each) => each.name === use.view)!
          const row_ = stored.get(keyOf(of, ...of.joinKeys.map((key) => keyValueOf(row, columnOf(use, key.name)))))!
          const picked = use.features ?? of.features.map((each) => each.name)
          if (use.features === undefined) seen.whole++
          const slots = picked.map((name) => {
            const ordinal = of.features.findIndex((each) => each.name === name)
            return { type: typeText(of.features[ordinal]!.type), ...slot(of, ordinal, row_) }
          })
          const isRow = Buffer.isBuffer(row_.result)
          return { slots, eventMicros: isRow ? row_.eventMicros : 0, isFromHistory: isRow && looksUp(of) }
        }),
      )
      check(answer, expected)
      for (const use of expected.flat()) for (const { status } of use.slots) seen.statuses.add(status)
      if (shape.isTensor) seen.tensors++
    }),
    { numRuns: 400 },
  )
  expect(seen.statuses).toEqual(new Set([1, 2, 3, 4, 5]))
  expect(Math.min(seen.tensors, seen.whole)).toBeGreaterThan(20)
})

interface ExpectedUse {
  readonly slots: readonly { type: string; status: number; value: Value }[]
  readonly eventMicros: number
  readonly isFromHistory: boolean
}

function check(answer: Response, expected: readonly (readonly ExpectedUse[])[]): void {
  const slots = expected.map((uses) => uses.flatMap((use) => use.slots))
  const statusesOf = (list: readonly { status: number }[]): number[] =>
    list.every(({ status }) => status === 1) ? [] : list.map(({ status }) => status)
  if (answer.tensor !== null) {
    const wanted = slots.flat().flatMap(({ type, value }) => floats(type, value))
    const { tensor } = answer
    expect(Array.from({ length: tensor.data.length / 4 }, (_, index) => tensor.data.readFloatLE(index * 4))).toEqual(
      wanted,
    )
    expect(tensor.rows * tensor.columns).toBe(wanted.length)
    expect([...(tensor.statuses ?? [])]).toEqual(statusesOf(slots.flat()))
    return
  }
  expect(answer.vectors).toEqual(
    slots.map((list, row) => ({
      values: list.map(({ type, value }) => {
        if (value === undefined) return {}
        return value === null ? { null_val: 0 } : TYPES[type]!.shown(value)
      }),
      statuses: statusesOf(list),
      event_timestamps: expected[row]!.map((use) => String(use.eventMicros)),
      stale_views: [],
      history_views: expected[row]!.flatMap((use, index) => (use.isFromHistory ? [index] : [])),
    })),
  )
}
