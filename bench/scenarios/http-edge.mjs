/**
 * GetFeatures over HTTP with JSON, answered from L1, against a bare fastify route that answers with the same bytes.
 *
 * What the ratio holds is reading the request's JSON, the read path, and writing each number and text of the answer as JSON; HTTP itself is
 * on both sides. The run fails if one row had to be read from the store.
 */
import { userName } from '../lib/feature-data.mjs'
import { compared } from '../lib/figure-names.mjs'
import { HIT_FIGURES, hitReport } from '../lib/hit-rounds.mjs'
import { openHttpHits } from '../lib/http-hits.mjs'
import { withResources } from '../lib/resources.mjs'

export const title = 'GetFeatures over HTTP with JSON, answered from L1'
export const figureNames = ['1-row.', '100-rows.'].flatMap((of) => compared(of, 'static', HIT_FIGURES))
const SETTINGS = {
  full: { rounds: 5, warmSeconds: 0.1, latencySeconds: 0.3, capacitySeconds: 0.4, inFlight: 16 },
  quick: { rounds: 1, warmSeconds: 0.02, latencySeconds: 0.05, capacitySeconds: 0.05, inFlight: 16 },
}
const CASES = [
  { figures: '1-row.', label: '1 row of 2 KB', requests: users(1, 2000) },
  { figures: '100-rows.', label: '100 rows of 2 KB', requests: users(100, 40) },
]

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  return await withResources(async (defer) => {
    const hits = await openHttpHits(defer)
    return await hitReport(hits, CASES, settings, (label) => `${label} over HTTP, from L1: what one caller waits`)
  })
}

/** `count` bodies that ask for `rowCount` users each. */
function users(rowCount, count) {
  return () =>
    Array.from({ length: count }, (_, index) => {
      const user = Array.from({ length: rowCount }, (_, offset) => userName(index * rowCount + offset))
      return JSON.stringify({ feature_service: 'wide_row', entities: { user } })
    })
}
