/** What is said of features, over real Parquet files, against what was written. */
import { expect, test } from 'vitest'
import type { FeatureView } from '../../src/domain/registry.ts'
import type { FeatureSummary, StatisticsData, TimeWindow } from '../../src/offline/statistics-job.ts'
import { populationStabilityIndex } from '../../src/statistics/psi.ts'
import { dataFiles, features, type RowSpec, rowOf, runAppend, sharedBench, viewOf } from './offline-store-fixtures.ts'

const bench = sharedBench()

const WINDOW = { fromMicros: 1000, untilMicros: 2000 }
const REFERENCE = { fromMicros: 0, untilMicros: 1000 }

interface Asked {
  readonly window?: TimeWindow
  readonly reference?: TimeWindow
  readonly exactRowsMax?: number
  readonly topValuesMax?: number
}

async function describe(view: FeatureView, rows: readonly RowSpec[], asked: Asked = {}): Promise<StatisticsData> {
  const files = dataFiles(
    await runAppend(
      bench,
      view,
      rows.map((row) => rowOf(view, row)),
    ),
  )
  const input = { window: WINDOW, reference: REFERENCE, exactRowsMax: 1000, topValuesMax: 3, ...asked }
  return bench.engine.run('statistics', { table: { view, files }, ...input })
}

function psi({ bins }: FeatureSummary): number | undefined {
  return populationStabilityIndex(bins.referenceCounts, bins.counts)
}

/** Rows at events `from`, `from + 1`, ... with these values. */
function rowsAt(from: number, values: readonly RowSpec['values'][]): RowSpec[] {
  return values.map((row, index) => ({ key: ['a'], event: from + index, position: from + index + 1, values: row }))
}

test('nulls, missing values, least, greatest, mean and quantiles are those of the rows in the window, and of no others', async () => {
  const view = viewOf({ n: 'int64', d: 'double' }, { features: features({ n: 'int64', d: 'double' }, true) })
  const inWindow = Array.from({ length: 100 }, (_, index) => [BigInt(index), index < 60 ? index / 2 : null] as const)
  const rows = [
    ...rowsAt(999, [[777n, 1e9]]),
    ...rowsAt(1000, [...inWindow, [undefined, Number.NaN], [undefined, Infinity], [null, undefined]]),
    ...rowsAt(2000, [[888n, 1e9]]),
  ]
  const { rows: count, referenceRows, exactQuantiles, features: found } = await describe(view, rows)
  expect([count, referenceRows, exactQuantiles]).toEqual([103, 1, true])
  const [n, d] = found
  expect(n).toMatchObject({ name: 'n', type: 'int64', nulls: 1, missing: 2 })
  expect(n!.numbers).toEqual({
    min: 0,
    max: 99,
    mean: 49.5,
    quantiles: [0.99, 4.95, 24.75, 49.5, 74.25, 94.05, 98.01].map((q) => expect.closeTo(q, 9)),
    notFinite: 0,
  })
  expect(n!.distinct).toBeGreaterThan(85)
  expect(n!.distinct).toBeLessThan(115)
  expect(d).toMatchObject({ nulls: 40, missing: 1 })
  expect(d!.numbers).toMatchObject({ min: 0, max: 29.5, mean: 14.75, notFinite: 2 })
})

test('texts, bools, bytes, times, lists and vectors are described by what can be said of them', async () => {
  const view = viewOf({ s: 'string', b: 'bool', x: 'bytes', t: 'timestamp', l: 'list<string>', v: 'vector<2>' })
  const rows = rowsAt(1000, [
    ['red', true, Buffer.alloc(3), 100, ['a', 'b'], [1, 2]],
    ['red', true, Buffer.alloc(5), 300, [], [3, 4]],
    ["it's \0 ünï", false, Buffer.alloc(0), 200, ['c'], [5, 6]],
    ['blue', null, null, null, null, null],
    ['green', undefined, undefined, undefined, undefined, undefined],
    [null, undefined, undefined, undefined, undefined, undefined],
  ])
  const { features: found } = await describe(view, rows)
  const [s, b, x, t, l, v] = found
  expect(s!.lengths).toMatchObject({ min: 3, max: 10, mean: 5 })
  expect(s!.top).toEqual([
    { value: 'red', count: 2 },
    { value: 'blue', count: 1 },
    { value: 'green', count: 1 },
  ])
  expect(s!.bins).toMatchObject({ kind: 'values', values: ['red', 'blue', 'green'], counts: [2, 1, 1, 1, 1] })
  expect(b).toMatchObject({
    nulls: 1,
    missing: 2,
    top: [
      { value: 'true', count: 2 },
      { value: 'false', count: 1 },
    ],
  })
  expect(b).not.toHaveProperty('numbers')
  expect(x).toMatchObject({ lengths: { min: 0, max: 5 } })
  expect(t).toMatchObject({ numbers: { min: 100, max: 300, mean: 200 } })
  expect(l).toMatchObject({ lengths: { min: 0, max: 2, mean: 1 } })
  expect(v).toMatchObject({ type: 'vector<2>', nulls: 1, missing: 2, lengths: { min: 2, max: 2 } })
})

test('rows of an older schema lack the later feature: it is missing there', async () => {
  const older = viewOf({ n: 'int64' })
  const newer = viewOf({ n: 'int64', added: 'double' }, { schemaId: 2, schemaFeatureCounts: [1, 2] })
  const append = async (view: FeatureView, rows: readonly RowSpec[]) =>
    dataFiles(
      await runAppend(
        bench,
        view,
        rows.map((row) => rowOf(view, row)),
      ),
    )
  const files = [
    ...(await append(older, rowsAt(1000, [[1n], [2n]]))),
    ...(await append(
      newer,
      rowsAt(1500, [
        [3n, null],
        [4n, 0.5],
      ]),
    )),
  ]
  const input = { window: WINDOW, reference: REFERENCE, exactRowsMax: 10, topValuesMax: 3 }
  const { features: found } = await bench.engine.run('statistics', { table: { view: newer, files }, ...input })
  expect(found[1]).toMatchObject({ name: 'added', nulls: 1, missing: 2, numbers: { min: 0.5, max: 0.5 } })
})

test('tenths of the reference: an equal window is at 0, one that moved is told, one beyond the range too', async () => {
  const view = viewOf({ same: 'double', moved: 'double', beyond: 'double', constant: 'double' })
  const rows = [
    ...rowsAt(
      0,
      Array.from({ length: 500 }, (_, index) => [index, index, index, 5]),
    ),
    ...rowsAt(
      1000,
      Array.from({ length: 500 }, (_, index) => [index, index + 100, -1, 6]),
    ),
  ]
  const [same, moved, beyond, constant] = (await describe(view, rows)).features
  expect(same!.bins).toMatchObject({
    kind: 'ranges',
    counts: [...new Array(10).fill(50), 0],
    referenceCounts: [...new Array(10).fill(50), 0],
  })
  expect(psi(same!)).toBe(0)
  // The two lowest tenths are empty now, the highest has 150 more: 2 (0.0999 ln 1000) + 0.2 ln 3.
  expect(psi(moved!)).toBeCloseTo(2 * 0.0999 * Math.log(1000) + 0.2 * Math.log(3), 9)
  expect(psi(beyond!)).toBeGreaterThan(5)
  // A value that was never there is no part of a range around the old one.
  expect(constant!.bins).toMatchObject({
    kind: 'values',
    values: ['5'],
    counts: [0, 500, 0],
    referenceCounts: [500, 0, 0],
  })
})

test('values that are the same for most rows make fewer bins, and rows without a value have their own', async () => {
  const view = viewOf({ n: 'double', s: 'string' })
  const rows = [
    ...rowsAt(
      0,
      Array.from({ length: 200 }, (_, index) => [index < 120 ? 0 : index, index % 2 === 0 ? 'a' : 'b']),
    ),
    ...rowsAt(
      1000,
      Array.from({ length: 100 }, (_, index) => [index < 60 ? 0 : null, index < 50 ? 'a' : 'new']),
    ),
  ]
  const [n, s] = (await describe(view, rows)).features
  expect(n!.bins).toMatchObject({ kind: 'ranges', upTo: [0, 139, 159, 179], counts: [60, 0, 0, 0, 0, 40] })
  expect(n!.bins.referenceCounts).toEqual([120, 20, 20, 20, 20, 0])
  expect(s!.bins).toEqual({
    kind: 'values',
    values: ['a', 'b'],
    counts: [50, 0, 50, 0],
    referenceCounts: [100, 100, 0, 0],
  })
})

test('no rows at all, in either window, are no fault', async () => {
  const view = viewOf({ n: 'double', s: 'string', l: 'list<int64>' })
  const none = await describe(view, rowsAt(5000, [[1, 'x', [1n]]]))
  expect([none.rows, none.referenceRows]).toEqual([0, 0])
  for (const feature of none.features) expect(feature.bins).toMatchObject({ counts: [0, 0], referenceCounts: [0, 0] })
  expect(none.features[0]!.numbers).toEqual({
    min: undefined,
    max: undefined,
    mean: undefined,
    quantiles: [],
    notFinite: 0,
  })

  const onlyNew = await describe(view, rowsAt(1000, [[1, 'x', [1n]]]))
  expect(onlyNew.features[1]!.bins).toEqual({
    kind: 'values',
    values: ['x'],
    counts: [1, 0, 0],
    referenceCounts: [0, 0, 0],
  })
  expect(psi(onlyNew.features[1]!)).toBeUndefined()
})

test('beyond the limit of exact quantiles they are estimates, near the exact ones', async () => {
  const view = viewOf({ n: 'double' })
  const values = Array.from({ length: 900 }, (_, index) => [(index * 7919) % 900])
  const rows = [...rowsAt(0, values), ...rowsAt(1000, values)]
  const exact = await describe(view, rows)
  const estimated = await describe(view, rows, { exactRowsMax: 899 })
  expect([exact.exactQuantiles, estimated.exactQuantiles]).toEqual([true, false])
  const [ofExact, ofEstimated] = [exact, estimated].map(({ features: [n] }) => n!.numbers!.quantiles)
  for (const [index, quantile] of ofExact!.entries()) expect(Math.abs(ofEstimated![index]! - quantile)).toBeLessThan(15)
  expect(estimated.features[0]!.bins.counts).toEqual(estimated.features[0]!.bins.referenceCounts)
})

test('numbers at the edge of a double are described, not a fault', async () => {
  const view = viewOf({ d: 'double', n: 'int64' })
  const rows = rowsAt(1000, [
    [Number.MAX_VALUE, 9223372036854775807n],
    [Number.MAX_VALUE, -9223372036854775808n],
    [-Number.MAX_VALUE, 0n],
    [Number.MIN_VALUE, 1n],
  ])
  const [d, n] = (await describe(view, rows)).features
  expect(d!.numbers).toMatchObject({ min: -Number.MAX_VALUE, max: Number.MAX_VALUE })
  expect(n!.numbers).toMatchObject({ min: -(2 ** 63), max: 2 ** 63 })
})
