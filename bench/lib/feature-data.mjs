/** The rows that benchmarks write and ask for, and requests for them as bytes. */
import { encodeMessage } from '../../dist/client/protocol.js'

/** The busiest eight of the flights; nearly every pair has a route. */
const AIRPORTS = ['ATL', 'DEN', 'DFW', 'IAH', 'LAS', 'LAX', 'ORD', 'PHX']
export const PAIRS = AIRPORTS.flatMap((origin) =>
  AIRPORTS.filter((destination) => destination !== origin).map((destination) => ({ origin, destination })),
)
/**
 * 8 MB of rows: a batch of 100 is not answered from the same few lines of the processor's cache, and of 40 batches that take
 * turns, 16 in flight have no row in common.
 */
export const USERS = 4000
const WIDE_TEXT_BYTES = 1450
const WRITE_ROWS = 1000

export const userName = (index) => `user-${index % USERS}`

/** About 2 KB. */
export function wideRow(index) {
  const numbers = Array.from({ length: 50 }, (_, feature) => [`f${feature}`, (index + feature) / 3])
  return { user: userName(index), ...Object.fromEntries(numbers), text: 'x'.repeat(WIDE_TEXT_BYTES) }
}

export async function writeWideRows(client, users = USERS) {
  for (let first = 0; first < users; first += WRITE_ROWS) {
    const count = Math.min(WRITE_ROWS, users - first)
    const rows = Array.from({ length: count }, (_, offset) => wideRow(first + offset))
    await client.writeFeatures('wide', rows)
  }
}

export async function writeAirportStatus(client) {
  const rows = AIRPORTS.map((airport) => ({ airport, closed: false, expected_delay_minutes: 5.5 }))
  await client.writeFeatures('airport_status', rows)
}

/** What a sync of the flights would bring for these airports, for a try that has no time for it. */
export async function writeDailyRows(client) {
  const daily = { flights: 900n, mean_delay: 13.03, late_share: 0.279 }
  const airports = AIRPORTS.map((airport) => ({ airport, ...daily, p90_delay: 58.3, mean_distance: 779.6 }))
  await client.writeFeatures('airport_daily', airports)
  await client.writeFeatures(
    'route_daily',
    PAIRS.map((pair) => ({ ...pair, ...daily, max_delay: 127n })),
  )
}

export function pairRequest({ origin, destination }, knownLayout) {
  return featuresRequest('predict_delay', { origin: [origin], destination: [destination] }, knownLayout)
}

/** `more`: further fields of the request. */
export function usersRequest(first, count, knownLayout, more) {
  const user = Array.from({ length: count }, (_, offset) => userName(first + offset))
  return namedUsersRequest(user, knownLayout, more)
}

export function namedUsersRequest(user, knownLayout, more) {
  return featuresRequest('wide_row', { user }, knownLayout, more)
}

function featuresRequest(service, columns, knownLayout = '0', more = {}) {
  return encodeMessage('GetFeaturesRequest', {
    featureService: service,
    columns: Object.entries(columns).map(([name, val]) => ({ name, strings: { val } })),
    knownLayout,
    ...more,
  })
}
