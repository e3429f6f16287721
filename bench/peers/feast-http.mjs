/** Feast's HTTP, as bytes: requests for the load generator, and answers by columns for the check. */
import { serviceOf } from '../lib/matrix-data.mjs'

/** Feast's Go server gives statuses only when asked; its gRPC and the Python server give them always, and read no query. */
export const PATH = '/get-online-features?status=true'

export function httpRequest({ items, features }) {
  return Buffer.from(JSON.stringify({ feature_service: serviceOf(features), entities: { item: items } }))
}

/** Columns as the check takes them. Throws if the bytes are not such an answer. */
export function httpColumns(bytes) {
  const { metadata, results } = JSON.parse(bytes.toString())
  const names = metadata?.feature_names
  if (!Array.isArray(names) || !Array.isArray(results))
    throw new Error('it has no metadata.feature_names or no results')
  if (names.length !== results.length) throw new Error(`${names.length} names for ${results.length} columns`)
  return results.map(({ values = [], statuses = [] }, index) => ({ name: names[index], values, statuses }))
}
