/** The flights example: its SQL over the real data, and its computation. */
import { DuckDBInstance } from '@duckdb/node-api'
import { beforeAll, expect, test } from 'vitest'
import { type LoadedDefinitions, loadDefinitions } from '../../src/definitions/load/load.ts'
import { resolveSource } from '../../src/definitions/resolve-source.ts'
import { evaluate } from '../../src/domain/on-demand.ts'
import type { ComputeInput } from '../../src/domain/registry.ts'

const FOLDER = new URL('../../examples/flights', import.meta.url).pathname

let loaded: LoadedDefinitions
beforeAll(async () => {
  loaded = await loadDefinitions(FOLDER)
})

async function query(sql: string): Promise<Record<string, unknown>[]> {
  const connection = await (await DuckDBInstance.create(':memory:', { threads: '2' })).connect()
  try {
    // The answer must not depend on the time zone of the machine.
    await connection.run("SET TimeZone = 'America/New_York'")
    return (await connection.runAndReadAll(sql)).getRowObjectsJson()
  } finally {
    connection.closeSync()
  }
}

/** A view's SQL as a table expression. */
async function tableOf(name: string): Promise<string> {
  const view = loaded.draft.views.find((each) => each.name === name)!
  return `(${await resolveSource(view.source!, loaded.definitionsDir)})`
}

test.each([
  ['airport_daily', 39_952],
  ['route_daily', 570_842],
])('%s has %i rows, one for each entity and day, with its columns in full', async (name, rows) => {
  const view = loaded.draft.views.find((each) => each.name === name)!
  const table = await tableOf(name)
  const keys = view.joinKeys.map((key) => key.name).join(', ')
  const [counts] = await query(
    `SELECT count(*)::INTEGER AS rows, count(DISTINCT (${keys}, event_timestamp))::INTEGER AS keys,
       count(*) FILTER (epoch_us(event_timestamp) % 86400000000 <> 0)::INTEGER AS off_midnight FROM ${table}`,
  )
  expect(counts).toEqual({ rows, keys: rows, off_midnight: 0 })
  const columns = await query(`DESCRIBE ${table}`)
  const names = [...view.joinKeys, ...view.features].map((each) => each.name)
  expect(columns.map((column) => column['column_name']).sort()).toEqual([...names, 'event_timestamp'].sort())
  expect(columns.find((column) => column['column_name'] === 'event_timestamp')!['column_type']).toBe(
    'TIMESTAMP WITH TIME ZONE',
  )
})

test("a day's features agree with the day's flights, counted by hand", async () => {
  const flights = loaded.draft.views[0]!.source!
  const path = await resolveSource({ ...flights, sql: '{{0}}' }, loaded.definitionsDir)
  const day = await query(
    `SELECT delay::INTEGER AS delay FROM ${path} WHERE origin = 'ATL' AND destination = 'ORD'
     AND date >= '2001-03-05' AND date < '2001-03-06'`,
  )
  const delays = day.map((row) => row['delay'] as number)
  const [row] = await query(
    `SELECT flights::INTEGER AS flights, mean_delay, max_delay::INTEGER AS max_delay, late_share
     FROM ${await tableOf('route_daily')}
     WHERE origin = 'ATL' AND destination = 'ORD' AND event_timestamp = '2001-03-06 00:00:00+00'`,
  )
  expect(delays.length).toBeGreaterThan(5)
  expect(row).toEqual({
    flights: delays.length,
    mean_delay: expect.closeTo(delays.reduce((sum, delay) => sum + delay) / delays.length, 9),
    max_delay: Math.max(...delays),
    late_share: expect.closeTo(delays.filter((delay) => delay > 15).length / delays.length, 9),
  })
})

function risk(input: ComputeInput): unknown {
  return evaluate(loaded.draft.onDemandViews[0]!, loaded.computes.get('delay_risk')!, input)[0]
}

function input(share: number | null, hour: number): ComputeInput {
  const late = { late_share: share }
  return { origin_airport: late, destination_airport: late, route_daily: late, request: { scheduled_hour: hour } }
}

test('risk is in 0..1, rises with late shares and the hour, and has a value where nothing is known', () => {
  expect(risk(input(1, 23))).toBe(1)
  expect(risk(input(0, 23))).toBe(0)
  expect(risk(input(0.2, 6))).toBeCloseTo(0.08)
  expect(risk(input(0.2, 12))).toBeCloseTo(0.17)
  expect(risk(input(0.2, 22))).toBeCloseTo(0.32)
  expect(risk({ ...input(0, 14), route_daily: { late_share: 1 } })).toBeCloseTo(0.5)
  expect(risk({ ...input(0, 14), origin_airport: { late_share: 1 } })).toBeCloseTo(0.3)
  expect(risk(input(null, 12))).toBe(risk(input(0.2, 12)))
  expect(risk(input(0.3, -5))).toBe(risk(input(0.3, 0)))
})

test('the service has its members in order, under their aliases', () => {
  const service = loaded.draft.services.find((each) => each.name === 'predict_delay')!
  expect(service.members).toEqual([
    { kind: 'view', use: { view: 'airport_daily', as: 'origin_airport', joinKeyMap: { airport: 'origin' } } },
    { kind: 'view', use: { view: 'airport_daily', as: 'destination_airport', joinKeyMap: { airport: 'destination' } } },
    { kind: 'view', use: { view: 'route_daily', as: 'route_daily', joinKeyMap: {} } },
    { kind: 'view', use: { view: 'airport_status', as: 'origin_status', joinKeyMap: { airport: 'origin' } } },
    { kind: 'onDemand', view: 'delay_risk' },
  ])
})
