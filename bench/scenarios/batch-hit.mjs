/**
 * GetFeatures for 1 to 1000 rows of 2 KB answered from L1, against a bare grpc-js server that answers with the same bytes: what a
 * row costs, and what a call costs besides.
 *
 * `row_cost_growth` is the server's processor time for a row of a batch of 1000 over that of a batch of 100: above 1 where something
 * grows faster than its rows.
 */
import { USERS, usersRequest } from '../lib/feature-data.mjs'
import { compared } from '../lib/figure-names.mjs'
import { HIT_FIGURES, HIT_HEAD, hitRounds } from '../lib/hit-rounds.mjs'
import { openHits } from '../lib/hits.mjs'
import { withResources } from '../lib/resources.mjs'
import { spread } from '../lib/spread.mjs'

export const title = 'GetFeatures for 1 to 1000 rows of 2 KB, answered from L1'
const SIZES = [1, 10, 50, 100, 500, 1000]
export const figureNames = [
  ...SIZES.flatMap((size) => [...compared(`${size}.`, 'static', HIT_FIGURES), `${size}.vectors_per_s`]),
  'row_cost_growth',
]
const SETTINGS = {
  full: { rounds: 3, warmSeconds: 0.1, latencySeconds: 0.2, capacitySeconds: 0.3 },
  quick: { rounds: 1, warmSeconds: 0.01, latencySeconds: 0.02, capacitySeconds: 0.03 },
}
/** Enough that the next request is always there; of large answers fewer, which would only fill sockets. */
const IN_FLIGHT = { few: 4, many: 16 }
const LARGE_ROWS = 500
/** Batches of different rows take turns: as many as have no row in common. */
const REQUESTS_MAX = 40

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  return await withResources(async (defer) => {
    const hits = await openHits(defer)
    const figures = {}
    const rows = []
    const histograms = {}
    const roundsBySize = new Map()
    for (const size of SIZES) {
      const inFlight = size < LARGE_ROWS ? IN_FLIGHT.many : IN_FLIGHT.few
      const measured = await hitRounds(hits, `${size} x 2 KB`, batches(size), { ...settings, inFlight })
      const { comparison, rounds } = measured
      Object.assign(figures, comparison.figures(`${size}.`))
      const vectors = spread(rounds.map(({ twinstore }) => twinstore.calls_per_s * size))
      figures[`${size}.vectors_per_s`] = vectors
      const [first, ...others] = comparison.rows(`${size} x 2 KB`, HIT_FIGURES)
      rows.push([...first, vectors], ...others)
      for (const [side, histogram] of Object.entries(measured.histograms))
        histograms[`${size} x 2 KB, ${side}`] = histogram
      roundsBySize.set(size, rounds)
    }
    figures.row_cost_growth = spread(
      roundsBySize.get(1000).map((round, index) => rowCost(round, 1000) / rowCost(roundsBySize.get(100)[index], 100)),
    )
    rows.push(['cost of a row, 1000 to 100', '', '', '', '', '', figures.row_cost_growth])
    const head = ['batch', 'server', ...HIT_HEAD, 'vectors/s']
    return { settings, figures, head, rows, histograms, plots: plots(figures) }
  })
}

function rowCost({ twinstore }, size) {
  return twinstore.server_cpu_us / size
}

function batches(size) {
  const count = Math.min(REQUESTS_MAX, USERS / size)
  return (knownLayout) =>
    Array.from({ length: count }, (_, index) => usersRequest(index * (USERS / count), size, knownLayout))
}

function plots(figures) {
  const line = (name, of) => ({
    name,
    baseline: name === 'static',
    points: SIZES.map((size) => {
      const { median, min, max } = figures[`${size}.${name === 'static' ? 'static_' : ''}${of}`]
      return { size, median, min, max }
    }),
  })
  const perRow = ({ points, ...series }) => ({
    ...series,
    points: points.map(({ size, median, min, max }) => [size, median / size, min / size, max / size]),
  })
  const whole = ({ points, ...series }) => ({
    ...series,
    points: points.map(({ size, median, min, max }) => [size, median, min, max]),
  })
  const x = { label: 'rows of a batch', log: true }
  const sides = ['twinstore', 'static']
  return [
    {
      title: 'Cost of a row by batch size',
      kind: 'lines',
      x,
      y: { label: "server's processor time per row, µs", log: true },
      series: sides.map((side) => perRow(line(side, 'server_cpu_us'))),
    },
    {
      title: 'What one caller waits, by batch size',
      kind: 'lines',
      x,
      y: { label: 'p50, ms', log: true },
      series: sides.map((side) => whole(line(side, 'p50_ms'))),
    },
  ]
}
