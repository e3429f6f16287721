/**
 * What if a planner changes a setting? The recommendation before and after, online and in the batch over all articles:
 *
 *     node what-if.mjs SKU-033 west service_level=0.99 [host:port]
 */
import { Readable } from 'node:stream'
import { connect } from 'twinstore/client'
import { PAIRS, stockCsv, stockOf } from './company.mjs'

const OUTPUTS = ['safety_stock', 'reorder_point', 'order_quantity', 'order_cost']
const column = (name) => `replenishment__${name}`

const [sku = 'SKU-033', partner = 'west', change = 'service_level=0.99', address = '127.0.0.1:50051'] =
  process.argv.slice(2)
const client = connect(address)

/** The recommendation for each pair, as the online store answers it. */
async function online(pairs) {
  const entities = pairs.map((pair) => ({ ...pair, ...stockOf(pair) }))
  const { rows } = await client.getFeatures({ service: 'replenishment_plan', entities })
  return rows.map(({ values }) => OUTPUTS.map((name) => values[column(name)]).map(numberOrNull))
}

/** The recommendation for all pairs, from the history: a training set whose spine is the stock of now. */
async function batch() {
  // A Date has milliseconds, a row's event timestamp microseconds: what was just written is not after the spine's time.
  const spine = Readable.from([Buffer.from(stockCsv(new Date(Date.now() + 1)))])
  const options = { spineFormat: 'csv', timestampColumn: 'at', format: 'csv' }
  const dataset = await client.trainingSet({ service: 'replenishment_plan', spine: spine, ...options })
  const pieces = []
  for await (const piece of dataset) pieces.push(piece)
  const [head, ...lines] = Buffer.concat(pieces).toString().trimEnd().split('\n')
  const places = OUTPUTS.map((name) => head.split(',').indexOf(column(name)))
  return lines.map((line) => places.map((place) => line.split(',')[place]).map(numberOrNull))
}

function numberOrNull(value) {
  return value === null || value === '' ? null : Number(value)
}

/** A row is replaced whole, so that one setting is changed by writing all of them. */
async function changeSetting(pair, name, value) {
  const { rows } = await client.getFeatures({ features: ['inventory_settings:*'], entities: [pair] })
  const settings = Object.entries(rows[0].values).map(([column, current]) => [column.split('__')[1], current])
  await client.writeFeatures('inventory_settings', [
    { ...pair, ...Object.fromEntries(settings), [name]: Number(value) },
  ])
}

async function compare(when) {
  const [served, planned] = [await online(PAIRS), await batch()]
  const equal = served.filter((values, index) => values.every((value, output) => value === planned[index][output]))
  const index = PAIRS.findIndex((pair) => pair.sku === sku && pair.partner === partner)
  console.log(`${when}: ${equal.length} of ${PAIRS.length} recommendations are equal online and in the batch`)
  for (const [output, name] of OUTPUTS.entries()) {
    console.log(`  ${name.padEnd(16)}online ${served[index][output]}  batch ${planned[index][output]}`)
  }
  return equal.length === PAIRS.length
}

try {
  const before = await compare('before')
  const [name, value] = change.split('=')
  await changeSetting({ sku, partner }, name, value)
  const after = await compare(`after ${change} for ${sku} at ${partner}`)
  process.exitCode = before && after ? 0 : 1
} finally {
  client.close()
}
