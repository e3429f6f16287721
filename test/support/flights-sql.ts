/**
 * What the flights example must answer, computed from its source by plain SQL that shares nothing with `src` nor with the
 * example: means from sums and counts, the quantile from the sorted delays of a day, and the row that counts at a time as the
 * greatest timestamp up to it, one flight at a time.
 */
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'

const SOURCE = new URL('../../node_modules/vega-datasets/data/flights-3m.parquet', import.meta.url).pathname

export interface FlightsSql {
  run(sql: string): Promise<void>
  rows(sql: string): Promise<Record<string, unknown>[]>
  close(): void
}

/** A database with `flights`, and the tables `airport_day` and `route_day` with the time `known_at` from which a row may be known. */
export async function openFlights(): Promise<FlightsSql> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' })
  const connection: DuckDBConnection = await instance.connect()
  const run = async (sql: string): Promise<void> => {
    await connection.run(sql)
  }
  await run("SET TimeZone = 'UTC'")
  await run(`CREATE VIEW flights AS SELECT *, file_row_number AS flight
    FROM read_parquet(${quoted(SOURCE)}, file_row_number = true)`)
  await run(AIRPORT_DAY)
  await run(ROUTE_DAY)
  return {
    run,
    rows: async (sql) => (await connection.runAndReadAll(sql)).getRowObjectsJS(),
    close() {
      connection.closeSync()
      instance.closeSync()
    },
  }
}

export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

const MIDNIGHT_AFTER = 'CAST(CAST(date AS DATE) + 1 AS TIMESTAMP)'

/** `quantile_cont(0.9)` is the value at 0.9 (n - 1) of the n sorted ones, between two of them their weighted mean. */
const AIRPORT_DAY = `CREATE TABLE airport_day AS
  WITH days AS (
    SELECT origin AS airport, ${MIDNIGHT_AFTER} AS known_at, count(*) AS n, sum(delay) AS delays, sum(distance) AS miles,
      count(CASE WHEN delay > 15 THEN 1 END) AS late, list_sort(list(delay)) AS sorted
    FROM flights GROUP BY 1, 2),
  places AS (SELECT *, CAST(n - 1 AS DOUBLE) * 0.9e0 AS place, CAST(floor((n - 1) * 0.9e0) AS BIGINT) AS below FROM days)
  SELECT airport, known_at, n AS flights,
    CAST(delays AS DOUBLE) / n AS mean_delay,
    sorted[below + 1] * (1 - (place - below)) + sorted[least(below + 2, n)] * (place - below) AS p90_delay,
    CAST(late AS DOUBLE) / n AS late_share,
    CAST(miles AS DOUBLE) / n AS mean_distance
  FROM places`

const ROUTE_DAY = `CREATE TABLE route_day AS
  SELECT origin, destination, ${MIDNIGHT_AFTER} AS known_at, count(*) AS flights,
    CAST(sum(delay) AS DOUBLE) / count(*) AS mean_delay, max(delay) AS max_delay,
    CAST(count(CASE WHEN delay > 15 THEN 1 END) AS DOUBLE) / count(*) AS late_share
  FROM flights GROUP BY 1, 2, 3`

/**
 * Makes the table `expected` for the spine table `spine` (flight, date, origin, destination, scheduled_hour) and the
 * statuses in `status` (airport, known_at, closed, expected_delay_minutes).
 */
export const EXPECTED_TRAINING_SET = `CREATE TABLE expected AS
  WITH times AS (
    SELECT *,
      (SELECT max(known_at) FROM airport_day WHERE airport = spine.origin AND known_at <= spine.date) AS origin_at,
      (SELECT max(known_at) FROM airport_day WHERE airport = spine.destination AND known_at <= spine.date) AS destination_at,
      (SELECT max(known_at) FROM route_day
        WHERE origin = spine.origin AND destination = spine.destination AND known_at <= spine.date) AS route_at,
      (SELECT max(known_at) FROM status WHERE airport = spine.origin AND known_at <= spine.date) AS status_at
    FROM spine)
  SELECT times.flight,
    o.flights AS origin_airport__flights, o.mean_delay AS origin_airport__mean_delay,
    o.p90_delay AS origin_airport__p90_delay, o.late_share AS origin_airport__late_share,
    o.mean_distance AS origin_airport__mean_distance,
    d.flights AS destination_airport__flights, d.mean_delay AS destination_airport__mean_delay,
    d.p90_delay AS destination_airport__p90_delay, d.late_share AS destination_airport__late_share,
    d.mean_distance AS destination_airport__mean_distance,
    r.flights AS route_daily__flights, r.mean_delay AS route_daily__mean_delay,
    r.max_delay AS route_daily__max_delay, r.late_share AS route_daily__late_share,
    s.closed AS origin_status__closed, s.expected_delay_minutes AS origin_status__expected_delay_minutes,
    least(1e0, greatest(0e0,
      (0.5e0 * coalesce(r.late_share, 0.2e0) + 0.3e0 * coalesce(o.late_share, 0.2e0) + 0.2e0 * coalesce(d.late_share, 0.2e0))
      * (0.4e0 + 0.075e0 * (least(22, greatest(6, scheduled_hour)) - 6)))) AS delay_risk__risk
  FROM times
  LEFT JOIN airport_day o ON o.airport = times.origin AND o.known_at = origin_at
  LEFT JOIN airport_day d ON d.airport = times.destination AND d.known_at = destination_at
  LEFT JOIN route_day r ON r.origin = times.origin AND r.destination = times.destination AND r.known_at = route_at
  LEFT JOIN status s ON s.airport = times.origin AND s.known_at = status_at`
