/**
 * Rows of one size after the other (`definitions/row-sizes.ts`), answered from L1 and measured as `hit-rounds.mjs` does: the cases of a
 * scenario, with a plot of what a call costs by the size of its rows.
 *
 *     cases: [{ name, label, view, rows, items, size, values }]      `rows` a call, of `items` that there are; `size` in the plot
 */

import { HIT_FIGURES, HIT_HEAD, hitRounds } from './hit-rounds.mjs'
import { openHits } from './hits.mjs'
import { itemsRequest, writeItems } from './item-rows.mjs'
import { withResources } from './resources.mjs'

const REQUESTS = 20
const SETTINGS = {
  full: { rounds: 3, warmSeconds: 0.05, latencySeconds: 0.12, capacitySeconds: 0.2, inFlight: 16 },
  quick: { rounds: 1, warmSeconds: 0.01, latencySeconds: 0.03, capacitySeconds: 0.05, inFlight: 16 },
}

export async function measureRowSizes(cases, { quick, column, plot }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  return await withResources(async (defer) => {
    const fill = async (client) => {
      // Of cases with the same view the last one has the most items.
      const views = new Map(cases.map((each) => [each.view, each]))
      for (const [view, { items, values }] of views) await writeItems(client, view, items, values)
    }
    const hits = await openHits(defer, { definitions: 'definitions/row-sizes.ts', fill })
    const figures = {}
    const rows = []
    const histograms = {}
    // Code that has just begun to run is slower, which would all fall on the first case.
    await hitRounds(hits, cases[0].label, requests(cases[0]), settings)
    for (const each of cases) {
      const measured = await hitRounds(hits, each.label, requests(each), settings)
      Object.assign(figures, measured.comparison.figures(`${each.name}.`))
      rows.push(...measured.comparison.rows(each.label, HIT_FIGURES))
      for (const [side, histogram] of Object.entries(measured.histograms)) {
        histograms[`${each.label}, ${side}`] = histogram
      }
    }
    const head = [column, 'server', ...HIT_HEAD]
    return { settings, figures, head, rows, histograms, plots: [costPlot(cases, figures, plot)] }
  })
}

function requests({ view, rows, items }) {
  return (knownLayout) =>
    Array.from({ length: REQUESTS }, (_, index) => itemsRequest(view, (index * rows) % items, rows, knownLayout))
}

function costPlot(cases, figures, { title, x, shown }) {
  const points = (of) =>
    cases.filter(shown).map(({ name, size }) => {
      const { median, min, max } = figures[`${name}.${of}`]
      return [size, median, min, max]
    })
  return {
    title,
    kind: 'lines',
    x,
    y: { label: "server's processor time per call, µs" },
    series: [
      { name: 'twinstore', points: points('server_cpu_us') },
      { name: 'static', baseline: true, points: points('static_server_cpu_us') },
    ],
  }
}
