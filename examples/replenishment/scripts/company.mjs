/** What the company's other systems would know: its articles and partners, the agreed settings, and what is in stock. Made up, always the same. */
import { createHash } from 'node:crypto'

const PARTNERS = ['north', 'south', 'east', 'west']

/** Every article at every partner. */
export const PAIRS = Array.from({ length: 120 }, (_, index) => `SKU-${String(index + 1).padStart(3, '0')}`).flatMap(
  (sku) => PARTNERS.map((partner) => ({ sku, partner })),
)

/** A number from 0 to 1 that depends on its words alone. */
function chance(...words) {
  return createHash('md5').update(words.join(' ')).digest().readUInt32BE() / 2 ** 32
}

/** The settings of a pair, for the view `inventory_settings`. */
export function settingsOf({ sku, partner }) {
  const of = (what) => chance(what, sku)
  return {
    lead_time_days: 3 + Math.round(of('lead time') * 25),
    lead_time_stddev_days: Math.round(of('lead time') * 40) / 10,
    service_level: [0.9, 0.95, 0.98][Math.floor(of('service') * 3)],
    review_period_days: partner === 'north' || partner === 'south' ? 7 : 14,
    pack_size: [1, 6, 12, 24][Math.floor(of('pack') * 4)],
    min_order: of('minimum') < 0.3 ? 24 : 0,
    unit_cost: Math.round(of('cost') * 20_000) / 100,
    demand_factor: 1,
    safety_stock_override: chance('override', sku, partner) < 0.05 ? 40 : null,
  }
}

/** Units of a pair on the shelf and under way, as request features of the service `replenishment_plan`. */
export function stockOf({ sku, partner }) {
  return {
    on_hand: Math.round(chance('on hand', sku, partner) * 300),
    on_order: chance('on order', sku, partner) < 0.25 ? Math.round(chance('units', sku, partner) * 200) : 0,
  }
}

/** The spine of the batch: every pair with its stock, at one moment. */
export function stockCsv(at) {
  const lines = PAIRS.map((pair) => {
    const { on_hand, on_order } = stockOf(pair)
    return `${pair.sku},${pair.partner},${on_hand},${on_order},${at.toISOString()}\n`
  })
  return `sku,partner,on_hand,on_order,at\n${lines.join('')}`
}
