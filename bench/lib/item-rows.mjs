/** Rows of `definitions/row-sizes.ts`, and requests for them as bytes. */
import { encodeMessage } from '../../dist/client/protocol.js'

/** A request of so many bytes or fewer is not too large for any limit. */
const WRITE_VALUES = 100_000

export const itemName = (index) => `item-${index}`

/** `values(item)` gives the features of a row by name. */
export async function writeItems(client, view, count, values) {
  const perWrite = Math.max(1, Math.min(count, Math.floor(WRITE_VALUES / Object.values(values(0)).flat().length)))
  for (let first = 0; first < count; first += perWrite) {
    const rows = Array.from({ length: Math.min(perWrite, count - first) }, (_, offset) => ({
      item: itemName(first + offset),
      ...values(first + offset),
    }))
    await client.writeFeatures(view, rows)
  }
}

/** Features `f0`, `f1`, ... none of which is a short number. */
export function numbered(count) {
  return (item) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, number(item, index)]))
}

export function embedded(length) {
  return (item) => ({ embedding: Array.from({ length }, (_, index) => Math.fround(Math.sin(item + index / 7))) })
}

function number(item, index) {
  return Math.fround((item * 1000 + index + 1) / 7)
}

export function itemsRequest(view, first, count, knownLayout = '0') {
  const val = Array.from({ length: count }, (_, offset) => itemName(first + offset))
  return encodeMessage('GetFeaturesRequest', {
    features: { references: [`${view}:*`] },
    columns: [{ name: 'item', strings: { val } }],
    knownLayout,
  })
}
