/**
 * GetFeatures for rows that are one embedding of 128 to 1536 floats each, answered from L1, against a bare grpc-js server that answers with
 * the same bytes: here nearly all of an answer is bytes that are copied.
 */
import { compared } from '../lib/figure-names.mjs'
import { HIT_FIGURES } from '../lib/hit-rounds.mjs'
import { embedded } from '../lib/item-rows.mjs'
import { measureRowSizes } from '../lib/row-size-rounds.mjs'

export const title = 'GetFeatures for embeddings of 128 to 1536 floats, answered from L1'
const FLOAT_BYTES = 4
const ROWS = 10
const CASES = [...[128, 384, 768, 1024, 1536].map((length) => [length, ROWS]), [768, 100]].map(([length, rows]) => ({
  name: `${rows}x${length}`,
  label: `${rows} x ${length} floats`,
  view: `embedding_${length}`,
  rows,
  items: Math.max(rows, 30),
  size: (rows * length * FLOAT_BYTES) / 1000,
  values: embedded(length),
}))
export const figureNames = CASES.flatMap(({ name }) => compared(`${name}.`, 'static', HIT_FIGURES))
/** The processor time of so short a run may be less than one tick of the system's clock. */
export const figuresOfAnySign = /server_cpu_us|load_cpu_share/

export function measure({ quick }) {
  // Hundred rows would press the other points together.
  const shown = ({ rows }) => rows === ROWS
  const plot = { title: 'Cost of a call by the bytes of its embeddings', x: { label: 'embeddings, kB' }, shown }
  return measureRowSizes(CASES, { quick, column: 'embeddings', plot })
}
