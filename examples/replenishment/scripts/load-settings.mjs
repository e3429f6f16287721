/** Pushes the agreed settings of every article and partner: node load-settings.mjs [host:port] */
import { connect } from 'twinstore/client'
import { PAIRS, settingsOf } from './company.mjs'

const client = connect(process.argv[2] ?? '127.0.0.1:50051')
const rows = PAIRS.map((pair) => ({ ...pair, ...settingsOf(pair) }))
const { rows: count } = await client.ingest('inventory_settings', rows)
console.log(`${count} settings pushed`)
client.close()
