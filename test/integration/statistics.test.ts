/** Statistics of the real flights, from a real server, against plain SQL over their source. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, type StatisticsOptions, type TwinstoreClient, type ViewStatistics } from '../../src/client/index.ts'
import { runCommand } from '../support/cli-process.ts'
import { type FlightsSql, openFlights } from '../support/flights-sql.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'

const FLIGHTS = new URL('../../examples/flights', import.meta.url).pathname
const MAY = { from: '2001-05-01', until: '2001-06-01' }
const JUNE = { from: '2001-06-01', until: '2001-07-01' }

let dir: string
let server: ServerProcess
let client: TwinstoreClient
let flights: FlightsSql
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'twinstore-stats-'))
  const flags = ['--sync-on-start', 'never', '--sync-schedule', 'off', '--metrics', '127.0.0.1:0']
  server = await startServerProcess({ dataDir: join(dir, 'data'), definitions: FLIGHTS, flags })
  client = connect(server.address)
  flights = await openFlights()
})
afterAll(async () => {
  flights.close()
  client.close()
  await server.stop()
  rmSync(dir, { recursive: true })
})

const within = ({ from, until }: typeof MAY) => `known_at >= '${from}' AND known_at < '${until}'`

/** The index by other means: bins joined by range, shares and their logarithms in SQL. */
async function psiBySql(column: string): Promise<number> {
  const [row] = await flights.rows(
    `WITH may AS (SELECT list_sort(list(${column})) AS sorted, count(*) AS n FROM airport_day WHERE ${within(MAY)}),
     bounds AS (SELECT DISTINCT sorted[(n * tenth + 9) // 10] AS bound FROM may, range(1, 10) AS tenths(tenth)),
     bins AS (SELECT coalesce(lag(bound) OVER (ORDER BY bound), -1e300) AS above, bound AS up_to FROM bounds
       UNION ALL SELECT max(bound), 1e300 FROM bounds),
     shares AS (SELECT above,
       (SELECT count(*) FILTER (WHERE ${column} > above AND ${column} <= up_to) / count(*) FROM airport_day WHERE ${within(MAY)}) AS q,
       (SELECT count(*) FILTER (WHERE ${column} > above AND ${column} <= up_to) / count(*) FROM airport_day WHERE ${within(JUNE)}) AS p
       FROM bins)
     SELECT sum((p - q) * ln(p / q)) AS psi FROM shares`,
  )
  return row!['psi'] as number
}

test('after a sync that added rows, and only then, the statistics of the last thirty days are there', async () => {
  await client.sync({ views: ['airport_daily'] })
  await expect.poll(() => client.statistics({ views: ['airport_daily'], kept: 9 }), { timeout: 60_000 }).toHaveLength(1)
  const [kept] = await client.statistics({ kept: 1 })
  expect(kept).toMatchObject({ view: 'airport_daily', viewVersion: 1, tableVersion: 1 })
  const [{ rows, before }] = (await flights.rows(
    `SELECT (count(*) FILTER (WHERE known_at > '2001-06-02'))::DOUBLE AS rows,
       (count(*) FILTER (WHERE known_at > '2001-05-03' AND known_at <= '2001-06-02'))::DOUBLE AS before FROM airport_day`,
  )) as [{ rows: number; before: number }]
  expect([kept!.window.rows, kept!.reference.rows]).toEqual([rows, before])
  const [first] = await client.sync({ views: ['airport_daily'] })
  expect(first!.rowsAdded).toBe(0)
  expect(await client.statistics({ kept: 9 })).toHaveLength(1)
})

test('what is said of June beside May is what plain SQL says', async () => {
  const [found] = await client.statistics({
    views: ['airport_daily'],
    from: new Date(JUNE.from),
    until: new Date(JUNE.until),
    referenceFrom: new Date(MAY.from),
    referenceUntil: new Date(MAY.until),
  })
  const columns = ['flights', 'mean_delay', 'p90_delay', 'late_share', 'mean_distance']
  expect(found!.features.map(({ name }) => name)).toEqual(columns)
  for (const feature of found!.features) {
    const [sql] = await flights.rows(
      `SELECT min(${feature.name})::DOUBLE AS min, max(${feature.name})::DOUBLE AS max, avg(${feature.name}) AS mean, count(*)::DOUBLE AS rows,
         count(DISTINCT ${feature.name})::DOUBLE AS different, list_sort(list(${feature.name}::DOUBLE)) AS sorted
       FROM airport_day WHERE ${within(JUNE)}`,
    )
    const sorted = sql!['sorted'] as number[]
    const at = (q: number) => {
      const place = q * (sorted.length - 1)
      const below = Math.floor(place)
      const next = sorted[Math.min(below + 1, sorted.length - 1)]!
      return sorted[below]! + (next - sorted[below]!) * (place - below)
    }
    expect(found!.window.rows).toBe(sql!['rows'])
    expect(feature).toMatchObject({ nulls: 0, missing: 0 })
    const { min, max, mean, quantiles, notFinite } = feature.numbers!
    expect([min, max, notFinite]).toEqual([
      expect.closeTo(sql!['min'] as number, 9),
      expect.closeTo(sql!['max'] as number, 9),
      0,
    ])
    expect(mean).toBeCloseTo(sql!['mean'] as number, 8)
    for (const [name, value] of Object.entries(quantiles))
      expect(value, name).toBeCloseTo(at(Number(name.slice(1)) / 100), 8)
    expect(Math.abs(feature.distinct / (sql!['different'] as number) - 1)).toBeLessThan(0.15)
    expect(feature.psi, feature.name).toBeCloseTo(await psiBySql(feature.name), 6)
    expect(feature.bins.counts.reduce((sum, count) => sum + count)).toBe(sql!['rows'])
  }
})

test('a written row is in the statistics at once; the command shows them to people and to machines', async () => {
  await client.writeFeatures('airport_status', [{ airport: 'ATL', closed: true, expected_delay_minutes: null }])
  await client.writeFeatures('airport_status', [{ airport: 'ORD', closed: false }])
  const shown = await runCommand(['stats', 'airport_status', '--address', server.address], dir)
  expect(shown).toMatchObject({ exitCode: 0, stderr: '' })
  expect(shown.stdout).toMatch(/^airport_status, table version \d+, /)
  expect(shown.stdout).toMatch(/: 2 rows$/m)
  expect(shown.stdout).toMatch(/^expected_delay_minutes\s+50 %\s+50 %\s+0/m)
  expect(shown.stdout).toMatch(/^ {2}closed: false 50 %, true 50 %$/m)
  const june = [
    '--from',
    JUNE.from,
    '--until',
    JUNE.until,
    '--reference-from',
    MAY.from,
    '--reference-until',
    MAY.until,
  ]
  const json = await runCommand(['stats', 'airport_daily', ...june, '--json', '--address', server.address], dir)
  const [view] = JSON.parse(json.stdout) as ViewStatistics[]
  expect(view!.features[0]).toMatchObject({ name: 'flights', drift: 'stable', numbers: { min: 1 } })
})

test('what cannot be asked is refused in words', async () => {
  const ask = (options: StatisticsOptions) => client.statistics(options)
  const day = new Date(JUNE.from)
  await expect(ask({ views: ['airport_dail'] })).rejects.toThrow('did you mean airport_daily?')
  await expect(ask({ views: ['route_daily'] })).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' })
  await expect(ask({ views: ['airport_daily'], from: day, until: day })).rejects.toThrow('must begin')
  const run = (...args: string[]) => runCommand(['stats', 'airport_daily', ...args, '--address', server.address], dir)
  for (const [args, words] of [
    [['--from', 'June'], 'is not a time'],
    [['--kept', '2', '--from', '2001-06-01'], 'leave out the times'],
  ] as const) {
    expect(await run(...args)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(words) })
  }
  await expect(client.statistics({ kept: 1, until: new Date(0) })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  await expect(client.statistics({ from: 2n ** 62n })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

test('metrics tell the last index of each feature, and documents are plain files beside the tables', async () => {
  const text = await (await fetch(`http://${server.metricsAddress}/metrics`)).text()
  const samples = [...text.matchAll(/^twinstore_feature_psi\{view="(\w+)",feature="(\w+)"\} (\S+)$/gm)]
  const [kept] = (await client.statistics({ views: ['airport_daily'], kept: 9 })).filter(
    ({ window }) => window.until > new Date('2001-07-02'),
  )
  expect(samples.map(([, view, feature, psi]) => [view, feature, Number(psi)])).toEqual(
    kept!.features.map(({ name, psi }) => ['airport_daily', name, psi]),
  )
  expect(text).toMatch(/^twinstore_feature_null_ratio\{view="airport_status",feature="expected_delay_minutes"\} 0\.5$/m)
  const files = readdirSync(join(dir, 'data/offline/statistics/airport_daily/v1'))
  expect(files.length).toBeGreaterThan(1)
  for (const file of files) expect(file).toMatch(/^\d{20}-\d{15}\.json$/)
})
