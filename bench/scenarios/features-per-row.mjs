/** GetFeatures for one row of 10 to 1000 double features answered from L1, against a bare grpc-js server that answers with the same bytes. */
import { compared } from '../lib/figure-names.mjs'
import { HIT_FIGURES } from '../lib/hit-rounds.mjs'
import { numbered } from '../lib/item-rows.mjs'
import { measureRowSizes } from '../lib/row-size-rounds.mjs'

export const title = 'GetFeatures for one row of 10 to 1000 features, answered from L1'
const CASES = [10, 50, 100, 250, 1000].map((count) => ({
  name: String(count),
  label: `${count} doubles`,
  view: `numbers_${count}`,
  rows: 1,
  items: 20,
  size: count,
  values: numbered(count),
}))
export const figureNames = CASES.flatMap(({ name }) => compared(`${name}.`, 'static', HIT_FIGURES))
/** The processor time of so short a run may be less than one tick of the system's clock. */
export const figuresOfAnySign = /server_cpu_us|load_cpu_share/

export function measure({ quick }) {
  const plot = { title: 'Cost of a call by features of its row', x: { label: 'features' }, shown: () => true }
  return measureRowSizes(CASES, { quick, column: 'row', plot })
}
