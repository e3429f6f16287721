/**
 * The read path alone, in process, all rows in L1: request bytes to response bytes, no transport.
 *
 * node bench/serving-path.mjs [--seconds 2] [--only predict] after `npm run build`. Prints requests and answer bytes per second, and the
 * mean time of a request.
 */
import { parseArgs } from 'node:util'
import { entityKey, rowKey } from '../dist/domain/entity-key.js'
import { lengthField } from '../dist/lib/wire.js'
import { definitionsOf, encodedRow, featureOf as feature, openServing, viewOf as view } from './lib/serving-alone.mjs'

const { values: flags } = parseArgs({
  options: { seconds: { type: 'string', default: '2' }, only: { type: 'string', default: '' } },
})
const seconds = Number(flags.seconds)

const use = (name, more = {}) => ({ view: name, as: name, joinKeyMap: {}, ...more })

/** 25 doubles, 25 floats and a string that makes the row 2 KB long. */
const wide = view(
  'wide',
  ['user'],
  [
    ...Array.from({ length: 50 }, (_, index) => feature(`f${index}`, index % 2 === 0 ? 'double' : 'float')),
    feature('text', 'string'),
  ],
)
const wideValues = [...Array.from({ length: 50 }, (_, index) => Math.fround(index / 3)), 'x'.repeat(1480)]
const airportDaily = view(
  'airport_daily',
  ['airport'],
  [
    feature('flights', 'int64'),
    ...['mean_delay', 'p90_delay', 'late_share', 'mean_distance'].map((name) => feature(name, 'double')),
  ],
)
const routeDaily = view(
  'route_daily',
  ['destination', 'origin'],
  [feature('flights', 'int64'), ...['mean_delay', 'max_delay', 'late_share'].map((name) => feature(name, 'double'))],
)
const airportStatus = view(
  'airport_status',
  ['airport'],
  [feature('closed', 'bool'), feature('expected_delay_minutes', 'double')],
)
const origin = use('airport_daily', { as: 'origin_airport', joinKeyMap: { airport: 'origin' } })
const destination = use('airport_daily', { as: 'destination_airport', joinKeyMap: { airport: 'destination' } })
const delayRisk = {
  name: 'delay_risk',
  inputs: [origin, destination, use('route_daily')],
  request: [{ ...feature('scheduled_hour', 'int64'), default: '12' }],
  features: [feature('risk', 'double')],
}
const definitions = definitionsOf({
  views: [wide, airportDaily, routeDaily, airportStatus],
  onDemandViews: [delayRisk],
  services: [
    { name: 'wide', members: [{ kind: 'view', use: use('wide') }] },
    { name: 'picked', members: [{ kind: 'view', use: use('wide', { features: ['f1', 'f7', 'f20', 'f48'] }) }] },
    {
      name: 'predict_delay',
      members: [
        { kind: 'view', use: origin },
        { kind: 'view', use: destination },
        { kind: 'view', use: use('route_daily') },
        { kind: 'view', use: use('airport_status', { as: 'origin_status', joinKeyMap: { airport: 'origin' } }) },
        { kind: 'onDemand', view: 'delay_risk' },
      ],
    },
  ],
  computes: { delay_risk: (row) => ({ risk: 1 / (1 + Math.exp(-lateness(row))) }) },
})

function lateness({ origin_airport, destination_airport, route_daily, request }) {
  return (
    origin_airport.late_share + destination_airport.late_share + route_daily.late_share - request.scheduled_hour / 24
  )
}

const ENTITIES = 10_000
const ids = Array.from({ length: ENTITIES }, (_, index) => `user-${index}`)
const airports = Array.from({ length: 230 }, (_, index) => `A${index}`)
const rows = new Map()
const put = (of, keys, values) =>
  rows.set(
    rowKey(
      of.name,
      entityKey(
        keys.map(() => 'string'),
        keys,
      ),
    ),
    encodedRow(of, values),
  )
for (const id of ids) put(wide, [id], wideValues)
for (const [index, airport] of airports.entries()) {
  put(airportDaily, [airport], [BigInt(index), 1.5, 2.5, 0.25, 800])
  put(airportStatus, [airport], [false, 0])
  for (let to = 0; to < airports.length; to++) put(routeDaily, [airports[to], airport], [9n, 1, 2, 0.5])
}

const serving = openServing({
  definitions,
  store: { shardCount: 1, readMany: async (keys) => keys.map((key) => rows.get(key) ?? null) },
  flags: { 'cache-ttl': '1h' },
})

const text = (field, value) => lengthField(field, Buffer.from(value))
const strings = (name, list) =>
  lengthField(3, Buffer.concat([text(1, name), lengthField(2, Buffer.concat(list.map((item) => text(1, item))))]))
const int64s = (name, list) =>
  lengthField(3, Buffer.concat([text(1, name), lengthField(3, lengthField(1, Buffer.from(list)))]))
const known = (answer) => Buffer.concat([Buffer.from([0x31]), answer.subarray(1, 9)])
const TENSOR = Buffer.from([0x28, 2])

/** `count` requests that differ in their entities, so that neither keys nor rows stay in the processor's cache. */
function requests(service, count, columnsOf, more = Buffer.alloc(0)) {
  return Array.from({ length: count }, (_, index) => Buffer.concat([text(1, service), ...columnsOf(index), more]))
}
const users = (index, count) =>
  strings(
    'user',
    Array.from({ length: count }, (_, k) => ids[(index * 37 + k * 101) % ENTITIES]),
  )
const pairs = (index, count) => [
  strings(
    'origin',
    Array.from({ length: count }, (_, k) => airports[(index + k) % 230]),
  ),
  strings(
    'destination',
    Array.from({ length: count }, (_, k) => airports[(index * 7 + k * 3) % 230]),
  ),
  int64s(
    'scheduled_hour',
    Array.from({ length: count }, (_, k) => k % 24),
  ),
]

async function measure(name, list) {
  if (!name.includes(flags.only)) return
  let layout = Buffer.alloc(0)
  for (const request of list) layout = known(await serving.getFeatures(request))
  const asked = list.map((request) => Buffer.concat([request, layout]))
  for (const run of ['warm', 'measured']) {
    const runSeconds = run === 'warm' ? seconds / 4 : seconds
    const start = performance.now()
    let done = 0
    let bytes = 0
    while (performance.now() - start < runSeconds * 1000) {
      for (let each = 0; each < 20; each++) bytes += serving.getFeatures(asked[done++ % asked.length]).length
    }
    if (run === 'warm') continue
    const elapsed = (performance.now() - start) / 1000
    const perRequest = `${((elapsed * 1e6) / done).toFixed(1).padStart(8)} µs`
    const rate = Math.round(done / elapsed).toLocaleString('en')
    console.log(
      `${name.padEnd(36)} ${rate.padStart(10)} req/s ${perRequest} ${(bytes / elapsed / 1e6).toFixed(0).padStart(6)} MB/s ${Math.round(bytes / done)} B`,
    )
  }
}

await measure(
  '1 x 2 KB',
  requests('wide', 1000, (index) => [users(index, 1)]),
)
await measure(
  '100 x 2 KB',
  requests('wide', 200, (index) => [users(index, 100)]),
)
await measure(
  '100 x 4 picked of 51',
  requests('picked', 200, (index) => [users(index, 100)]),
)
await measure(
  'predict_delay x 1',
  requests('predict_delay', 1000, (index) => pairs(index, 1)),
)
await measure(
  'predict_delay x 100',
  requests('predict_delay', 200, (index) => pairs(index, 100)),
)
await measure(
  'predict_delay x 100 TENSOR',
  requests('predict_delay', 200, (index) => pairs(index, 100), TENSOR),
)
