import { double, entity, featureView, file, hours, sql, string } from 'twinstore'

export const airport = entity('airport', string())

const flights = file('flights.parquet', { at: 'npm:vega-datasets/data/flights-3m.parquet' })

/** 229 rows: what a start syncs when the benchmark is only tried. */
export const airportTotal = featureView('airport_total', {
  entities: [airport],
  features: { mean_delay: double() },
  source: sql`
    SELECT origin AS airport, avg(delay) AS mean_delay, TIMESTAMPTZ '2001-07-01 00:00:00Z' AS event_timestamp
    FROM ${flights}
    GROUP BY ALL`,
  sync: { every: hours(24) },
})
