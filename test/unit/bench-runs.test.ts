import { build } from 'hdr-histogram-js'
import { expect, test } from 'vitest'
import { machineSlug } from '../../bench/lib/machine.mjs'
import { asOne } from '../../bench/lib/repeated-runs.mjs'

const spread = (median: number) => ({ median, min: median - 1, max: median + 1 })

function histogramOf(...values: number[]) {
  const histogram = build()
  for (const value of values) histogram.recordValue(value)
  return histogram
}

function run(median: number, ...values: number[]) {
  const histogram = histogramOf(...values)
  return {
    figures: { p50_ms: spread(median) },
    rows: [['one row', spread(median), `${median}`]],
    histograms: { kept: histogram },
    plots: [
      { title: 'plot', kind: 'percentiles', series: [{ name: 'kept', histogram }] },
      { title: 'other', kind: 'percentiles', series: [{ name: 'own', histogram: histogramOf(...values) }] },
    ],
  }
}

test('several runs are one: the median of their medians, between the least and greatest of all', () => {
  const one = asOne([run(10, 1), run(50, 2, 3), run(20, 4)])
  const expected = { median: 20, min: 9, max: 51 }
  expect(one.figures).toEqual({ p50_ms: expected })
  expect(one.rows).toEqual([['one row', expected, '20']])
})

test('their histograms are added up, each once', () => {
  const { histograms, plots } = asOne([run(10, 1), run(50, 2, 3), run(20, 4)])
  expect(histograms.kept.totalCount).toBe(4)
  expect(plots.map(({ series }) => series[0]!.histogram.totalCount)).toEqual([4, 4])
})

test('one run is left as it is', () => {
  const only = run(10, 1)
  expect(asOne([only])).toBe(only)
})

test.each([
  ['AMD EPYC', 2, 'amd-epyc-2-cores'],
  ['AMD EPYC 7763 64-Core Processor', 4, 'amd-epyc-7763-4-cores'],
  ['Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz', 8, 'intel-xeon-e5-2680-v4-8-cores'],
  ['', 1, 'unknown-1-cores'],
])('%s with %d cores is %s', (cpu, cores, slug) => {
  expect(machineSlug({ cpu, cores })).toBe(slug)
})
