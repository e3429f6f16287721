/**
 * What to order? A company keeps its articles (SKUs) on the shelves of its partners. Demand comes from a batch source,
 * planners push settings and change them at any time, and one function turns both into a recommendation: for a planner
 * who asks "what if", and for the nightly batch over all articles.
 *
 * The demand is made up, but always the same: a figure depends on the article, the partner and the day alone, through MD5. The
 * history ends with yesterday, whenever the source is read.
 */
import { days, double, entity, featureService, featureView, hours, int64, onDemandView, sql, string } from 'twinstore'
import { recommend } from './reorder.ts'

export const sku = entity('sku', string(), { description: 'an article, such as SKU-017' })

export const partner = entity('partner', string(), { description: 'who sells it: north, south, east or west' })

/**
 * Units sold a day: 120 articles x 4 partners x 90 days. A level per article and partner, a weekly and a yearly season, and noise
 * of about a third. Every fifth article sells on one day in seven only, several at once.
 */
const sales = sql`
  WITH articles AS (SELECT format('SKU-{:03d}', i) AS sku, i % 5 = 0 AS is_slow FROM range(1, 121) AS articles(i)),
  partners AS (SELECT unnest(['north', 'south', 'east', 'west']) AS partner),
  dates AS (SELECT CAST(unnest(generate_series(current_date - 90, current_date - 1, INTERVAL 1 DAY)) AS DATE) AS date),
  chances AS (
    SELECT sku, partner, date, is_slow,
      (md5_number_lower(concat('level', sku, partner)) >> 11) / pow(2, 53) AS level,
      (md5_number_lower(concat('noise', sku, partner, date)) >> 11) / pow(2, 53) AS noise,
      (md5_number_lower(concat('sale', sku, partner, date)) >> 11) / pow(2, 53) AS sale
    FROM articles, partners, dates),
  rates AS (
    SELECT sku, partner, date, is_slow, sale, (0.4 + 1.2 * noise) * exp(3.5 * level)
      * [0.6, 0.9, 0.95, 1.0, 1.05, 1.25, 1.25][1 + dayofweek(date)]
      * (1 + 0.25 * cos(2 * pi() * (dayofyear(date) - 340) / 365)) AS rate
    FROM chances)
  SELECT sku, partner, date,
    CAST(round(CASE WHEN NOT is_slow THEN rate WHEN sale < 1.0 / 7 THEN 1 + rate ELSE 0 END) AS BIGINT) AS units
  FROM rates`

export const partnerDemand = featureView('partner_demand', {
  description: 'What a partner sold of an article in the 28 days before.',
  entities: [sku, partner],
  ttl: days(3),
  onStale: 'null',
  features: {
    mean_daily: double({ description: 'units a day' }),
    stddev_daily: double({ description: 'from day to day' }),
    days_with_sales: int64({ description: 'of 28' }),
  },
  source: sql`
    WITH sales AS (${sales})
    SELECT sku, partner,
      avg(units) OVER month AS mean_daily,
      stddev_samp(units) OVER month AS stddev_daily,
      count(*) FILTER (units > 0) OVER month AS days_with_sales,
      (date + INTERVAL 1 DAY) AT TIME ZONE 'UTC' AS event_timestamp
    FROM sales
    WINDOW month AS (PARTITION BY sku, partner ORDER BY date ROWS 27 PRECEDING)
    QUALIFY count(*) OVER month = 28`,
  sync: { every: hours(24) },
  partitionBy: 'month',
})

export const skuDemand = featureView('sku_demand', {
  description: 'What all partners sold of an article.',
  entities: [sku],
  ttl: days(7),
  features: {
    mean_daily: double({ description: 'units a day, over 28 days' }),
    trend: double({ default: 1, description: 'units in the last 14 days to half of those in the last 28' }),
  },
  source: sql`
    WITH sales AS (${sales}), totals AS (SELECT sku, date, sum(units) AS units FROM sales GROUP BY ALL)
    SELECT sku,
      avg(units) OVER month AS mean_daily,
      avg(units) OVER (PARTITION BY sku ORDER BY date ROWS 13 PRECEDING) / nullif(avg(units) OVER month, 0) AS trend,
      (date + INTERVAL 1 DAY) AT TIME ZONE 'UTC' AS event_timestamp
    FROM totals
    WINDOW month AS (PARTITION BY sku ORDER BY date ROWS 27 PRECEDING)
    QUALIFY count(*) OVER month = 28`,
  sync: { every: hours(24) },
  partitionBy: 'month',
})

/** What holds where nobody has set anything. */
const POLICY = {
  lead_time_days: 7,
  lead_time_stddev_days: 1.5,
  service_level: 0.95,
  review_period_days: 7,
  pack_size: 1,
  min_order: 0,
  demand_factor: 1,
}

export const inventorySettings = featureView('inventory_settings', {
  description: 'How an article is replenished at a partner; pushed, and changed by planners at any time.',
  entities: [sku, partner],
  features: {
    lead_time_days: double({ default: POLICY.lead_time_days }),
    lead_time_stddev_days: double({ default: POLICY.lead_time_stddev_days }),
    service_level: double({ default: POLICY.service_level, description: '0.5 to below 1' }),
    review_period_days: double({ default: POLICY.review_period_days }),
    pack_size: int64({ default: POLICY.pack_size, description: 'units; orders are whole packs' }),
    min_order: int64({ default: POLICY.min_order, description: 'units' }),
    unit_cost: double({ description: 'euros' }),
    demand_factor: double({ default: POLICY.demand_factor, description: 'a promotion: 1.5 is half as much again' }),
    safety_stock_override: double({ description: 'units, in place of the computed ones' }),
  },
})

/** The trend of an article over all its partners says something of next week, but not much. */
const TREND_MIN = 0.8
const TREND_MAX = 1.25

export const replenishment = onDemandView('replenishment', {
  description: 'What to order now. Nothing is recommended without fresh demand, or where the settings make no sense.',
  inputs: [partnerDemand, skuDemand.pick('trend'), inventorySettings],
  request: {
    on_hand: int64({ description: 'units on the shelf' }),
    on_order: int64({ default: 0, description: 'units ordered and not yet there' }),
  },
  features: { safety_stock: double(), reorder_point: double(), order_quantity: int64(), order_cost: double() },
  compute: ({ partner_demand: demand, sku_demand, inventory_settings: settings, request }) => {
    const nothing = { safety_stock: null, reorder_point: null, order_quantity: null, order_cost: null }
    if (demand.mean_daily === null || demand.stddev_daily === null || request.on_hand === null) return nothing
    const trend = Math.min(TREND_MAX, Math.max(TREND_MIN, sku_demand.trend ?? 1))
    const factor = trend * (settings.demand_factor ?? POLICY.demand_factor)
    const recommended = recommend(
      { meanDaily: factor * demand.mean_daily, stddevDaily: factor * demand.stddev_daily },
      {
        leadTimeDays: settings.lead_time_days ?? POLICY.lead_time_days,
        leadTimeStddevDays: settings.lead_time_stddev_days ?? POLICY.lead_time_stddev_days,
        reviewPeriodDays: settings.review_period_days ?? POLICY.review_period_days,
        serviceLevel: settings.service_level ?? POLICY.service_level,
        packSize: settings.pack_size ?? POLICY.pack_size,
        minOrder: settings.min_order ?? POLICY.min_order,
        safetyStockOverride: settings.safety_stock_override,
      },
      request.on_hand + request.on_order,
    )
    if (recommended === null) return nothing
    return {
      safety_stock: recommended.safetyStock,
      reorder_point: recommended.reorderPoint,
      order_quantity: recommended.orderQuantity,
      order_cost: settings.unit_cost === null ? null : recommended.orderQuantity * settings.unit_cost,
    }
  },
})

export const replenishmentPlan = featureService('replenishment_plan', [
  partnerDemand,
  skuDemand,
  inventorySettings,
  replenishment,
])
