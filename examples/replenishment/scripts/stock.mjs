/** Prints the spine of the batch, every article at every partner now: node stock.mjs > stock.csv */
import { stockCsv } from './company.mjs'

process.stdout.write(stockCsv(new Date()))
