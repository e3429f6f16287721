/**
 * How late will this flight be? Features of airports and routes from three million US flights of January to June 2001,
 * for a model that is asked before departure.
 *
 * A day's features carry the timestamp of the following midnight (UTC), when the day was over and they could be known. The
 * views have no TTL, the data being of 2001.
 */
import {
  bool,
  double,
  entity,
  featureService,
  featureView,
  file,
  hours,
  int64,
  onDemandView,
  sql,
  string,
} from 'twinstore'

const flights = file('flights.parquet', { at: 'npm:vega-datasets/data/flights-3m.parquet' })

export const airport = entity('airport', string(), { description: 'IATA code, such as ATL' })

export const route = entity('route', { origin: string(), destination: string() })

export const airportDaily = featureView('airport_daily', {
  description: 'The flights that left an airport on one day.',
  entities: [airport],
  features: {
    flights: int64(),
    mean_delay: double({ description: 'minutes; early flights count as negative' }),
    p90_delay: double({ description: 'minutes' }),
    late_share: double({ description: 'share of flights more than 15 minutes late' }),
    mean_distance: double({ description: 'miles' }),
  },
  source: sql`
    SELECT
      origin AS airport,
      count(*) AS flights,
      avg(delay) AS mean_delay,
      quantile_cont(delay, 0.9) AS p90_delay,
      avg((delay > 15)::INTEGER) AS late_share,
      avg(distance) AS mean_distance,
      (date_trunc('day', date) + INTERVAL 1 DAY) AT TIME ZONE 'UTC' AS event_timestamp
    FROM ${flights}
    GROUP BY ALL`,
  sync: { every: hours(24) },
  partitionBy: 'month',
})

export const routeDaily = featureView('route_daily', {
  description: 'The flights of a route on one day.',
  entities: [route],
  features: {
    flights: int64(),
    mean_delay: double({ description: 'minutes; early flights count as negative' }),
    max_delay: int64({ description: 'minutes' }),
    late_share: double({ description: 'share of flights more than 15 minutes late' }),
  },
  source: sql`
    SELECT
      origin,
      destination,
      count(*) AS flights,
      avg(delay) AS mean_delay,
      max(delay) AS max_delay,
      avg((delay > 15)::INTEGER) AS late_share,
      (date_trunc('day', date) + INTERVAL 1 DAY) AT TIME ZONE 'UTC' AS event_timestamp
    FROM ${flights}
    GROUP BY ALL`,
  sync: { every: hours(24) },
  partitionBy: 'month',
})

export const airportStatus = featureView('airport_status', {
  description: 'What an airport says of itself right now; written by its users.',
  entities: [airport],
  features: { closed: bool(), expected_delay_minutes: double() },
})

const fromOrigin = airportDaily.as('origin_airport', { airport: 'origin' })
const fromDestination = airportDaily.as('destination_airport', { airport: 'destination' })

/** The late share of all three million flights (0.1997), for what is not known. */
const USUAL_LATE_SHARE = 0.2
/** Delays build up over the day: by the hour of departure, late shares go from 0.07 at 6 to 0.32 at 22. */
const FIRST_HOUR = 6
const LAST_HOUR = 22
const FIRST_HOUR_FACTOR = 0.4
const FACTOR_PER_HOUR = 0.075

/**
 * risk = clamp(share x hour, 0, 1), where
 *   share = 0.5 route.late_share + 0.3 origin.late_share + 0.2 destination.late_share
 *   hour  = 0.4 + 0.075 x (clamp(scheduled_hour, 6, 22) - 6)
 * A late share that is not known counts as 0.2. The weights favour what is closest to the flight.
 */
export const delayRisk = onDemandView('delay_risk', {
  description: 'A rough chance, 0 to 1, that the flight leaves more than 15 minutes late.',
  inputs: [fromOrigin, fromDestination, routeDaily],
  request: { scheduled_hour: int64({ default: 12, description: 'local hour of departure, 0 to 23' }) },
  features: { risk: double() },
  compute: (row) => {
    const ofRoute = row.route_daily.late_share ?? USUAL_LATE_SHARE
    const ofOrigin = row.origin_airport.late_share ?? USUAL_LATE_SHARE
    const ofDestination = row.destination_airport.late_share ?? USUAL_LATE_SHARE
    const share = 0.5 * ofRoute + 0.3 * ofOrigin + 0.2 * ofDestination
    const hour = clamp(row.request.scheduled_hour, FIRST_HOUR, LAST_HOUR)
    return { risk: clamp(share * (FIRST_HOUR_FACTOR + FACTOR_PER_HOUR * (hour - FIRST_HOUR)), 0, 1) }
  },
})

export const predictDelay = featureService('predict_delay', [
  fromOrigin,
  fromDestination,
  routeDaily,
  airportStatus.as('origin_status', { airport: 'origin' }),
  delayRisk,
])

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value))
}
