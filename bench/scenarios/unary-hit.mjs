/**
 * GetFeatures for one entity answered from L1, against a bare grpc-js server that answers with the same bytes.
 *
 * `1-row` is a row of 2 KB; `pair` what the flights example asks for one flight: four look-ups in three views and an on-demand
 * feature. Requests are bytes made beforehand and answers are not decoded, in either case. The run fails if one row had to be
 * read from the store.
 */
import { PAIRS, pairRequest, usersRequest } from '../lib/feature-data.mjs'
import { compared } from '../lib/figure-names.mjs'
import { HIT_FIGURES, hitReport } from '../lib/hit-rounds.mjs'
import { openHits } from '../lib/hits.mjs'
import { withResources } from '../lib/resources.mjs'

export const title = 'GetFeatures for one entity, answered from L1'
export const figureNames = ['1-row.', 'pair.'].flatMap((of) => compared(of, 'static', HIT_FIGURES))
const SETTINGS = {
  full: { rounds: 5, warmSeconds: 0.1, latencySeconds: 0.3, capacitySeconds: 0.4, inFlight: 32 },
  quick: { rounds: 1, warmSeconds: 0.02, latencySeconds: 0.05, capacitySeconds: 0.05, inFlight: 32 },
}
/** More rows than the processor keeps near, so that each is fetched from memory as in life. */
const USERS_ASKED = 2000
const CASES = [
  { figures: '1-row.', label: '1 row of 2 KB', requests: users },
  { figures: 'pair.', label: 'one pair of the flights', requests: pairs },
]

export async function measure({ quick }) {
  const settings = quick ? SETTINGS.quick : SETTINGS.full
  return await withResources(async (defer) => {
    const hits = await openHits(defer)
    return await hitReport(hits, CASES, settings, (label) => `${label}, from L1: what one caller waits`)
  })
}

function users(knownLayout) {
  return Array.from({ length: USERS_ASKED }, (_, index) => usersRequest(index, 1, knownLayout))
}

function pairs(knownLayout) {
  return PAIRS.map((pair) => pairRequest(pair, knownLayout))
}
