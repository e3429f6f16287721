/**
 * Feast's gRPC, as bytes: requests for the load generator, and answers by columns for the check.
 *
 * The same messages go by two names: Feast's Go and Java servers have `feast.serving.ServingService`, its Python server
 * (`feast listen`) a service of another name without a package.
 */
import { fileURLToPath } from 'node:url'
import protobuf from 'protobufjs'
import { serviceOf } from '../lib/matrix-data.mjs'

export const PATHS = ['/feast.serving.ServingService/GetOnlineFeatures', '/GrpcFeatureServer/GetOnlineFeatures']

const root = protobuf.loadSync(fileURLToPath(new URL('feast-serving.proto', import.meta.url)))
const Request = root.lookupType('bench.peers.GetOnlineFeaturesRequest')
const Response = root.lookupType('bench.peers.GetOnlineFeaturesResponse')
const statusNames = root.lookupEnum('bench.peers.FieldStatus').valuesById

export function grpcRequest({ items, features }) {
  const val = items.map((item) => ({ int64Val: item }))
  const message = { featureService: serviceOf(features), entities: { item: { val } } }
  return Buffer.from(Request.encode(Request.fromObject(message)).finish())
}

/** Columns as the check takes them. Throws if the bytes are not such a message. */
export function grpcColumns(bytes) {
  const { metadata, results } = Response.decode(bytes)
  const names = metadata?.featureNames?.val ?? []
  if (names.length !== results.length) throw new Error(`${names.length} names for ${results.length} columns`)
  return results.map(({ values, statuses }, index) => ({
    name: names[index],
    values: values.map(numberIn),
    statuses: statuses.map((status) => statusNames[status] ?? `status ${status}`),
  }))
}

/** Null where the value is not set. int64 comes as a Long. */
function numberIn(value) {
  return value.val === undefined ? null : Number(value[value.val])
}
