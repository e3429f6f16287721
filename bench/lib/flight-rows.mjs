/** Real flights as rows of a feature view, as the outbox of an online store holds them. */
import { fileURLToPath } from 'node:url'
import { DuckDBInstance } from '@duckdb/node-api'
import { entityKey, rowKey, shardOf } from '../../dist/domain/entity-key.js'
import { storageId } from '../../dist/domain/registry.js'
import { encodeRow } from '../../dist/domain/row-codec.js'
import { encodeValue } from '../../dist/domain/value-codec.js'

const FLIGHTS = fileURLToPath(new URL('../../node_modules/vega-datasets/data/flights-3m.parquet', import.meta.url))
const SLAB_BYTES = 1 << 20
const SHARDS = 64
/** 2024-01-01; positions are times. */
const FIRST_POSITION = 1_704_067_200_000_000

const feature = (name, kind) => ({ name, type: { kind } })

/** Ten features a flight, one entity a flight: its key is like `ATL-ORD-20010115-0930-17`. */
export const flightView = {
  name: 'flight_status',
  version: 1,
  entities: ['flight'],
  joinKeys: [{ name: 'flight', type: 'string' }],
  features: [
    feature('origin', 'string'),
    feature('destination', 'string'),
    feature('status', 'string'),
    feature('remark', 'string'),
    feature('delay', 'int64'),
    feature('distance', 'int64'),
    feature('delay_hours', 'double'),
    feature('miles_per_minute', 'double'),
    feature('late', 'bool'),
    feature('delay_share', 'double'),
  ],
  schemaId: 1,
  schemaFeatureCounts: [10],
  onStale: 'serve',
  partitionBy: 'month',
  online: true,
}

/** Spread over the six months of the flights, in the order of their dates; a tenth of the remarks is null. */
function flightsSql(rows) {
  return `SELECT origin || '-' || destination || '-' || strftime(date, '%Y%m%d-%H%M') || '-' || number AS flight,
      origin, destination,
      CASE WHEN delay > 60 THEN 'very late' WHEN delay > 15 THEN 'late' ELSE 'on time' END AS status,
      CASE WHEN number % 10 = 0 THEN NULL ELSE 'gate closes at ' || strftime(date, '%H:%M') || ', ' || delay || ' minutes' END AS remark,
      delay::BIGINT AS delay, distance::BIGINT AS distance, delay / 60.0::DOUBLE AS delay_hours,
      distance / greatest(30.0, delay + 90.0)::DOUBLE AS miles_per_minute, delay > 15 AS late,
      delay / (distance + 1.0)::DOUBLE AS delay_share, epoch_us(date::TIMESTAMP)::BIGINT AS event_micros
    FROM (SELECT *, row_number() OVER () AS number FROM '${FLIGHTS}')
    WHERE number % ${Math.floor(3_000_000 / rows)} = 0 ORDER BY date, number LIMIT ${rows}`
}

/** So many rows as the archiver gives them to `OfflineStore.append`: a batch per shard, each in order of position. */
export async function flightBatches(rows) {
  const batches = Array.from({ length: SHARDS }, (_, shard) => ({ source: { storeId: 'bench', shard }, entries: [] }))
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  const result = await connection.stream(flightsSql(rows))
  const types = flightView.features.map(({ type }) => type)
  const slabs = { buffer: Buffer.alloc(0), used: 0 }
  let position = FIRST_POSITION
  for (let chunk = await result.fetchChunk(); chunk?.rowCount > 0; chunk = await result.fetchChunk()) {
    for (const cells of chunk.getRows()) {
      const key = entityKey(['string'], [cells[0]])
      const eventMicros = Number(cells.at(-1))
      const values = types.map((type, ordinal) => encodeValue(type, cells[ordinal + 1]))
      position += 10
      const row = encodeRow({ schemaId: 1, eventMicros, createdMicros: position, position, values })
      batches[shardOf(key, SHARDS)].entries.push({
        key: rowKey(storageId(flightView), key),
        row: inSlab(slabs, row),
        position,
      })
    }
  }
  connection.closeSync()
  return batches
}

/** A million buffers of their own would make the garbage collector part of what is measured. */
function inSlab(slabs, row) {
  if (slabs.used + row.length > slabs.buffer.length) {
    slabs.buffer = Buffer.allocUnsafeSlow(SLAB_BYTES)
    slabs.used = 0
  }
  const at = slabs.used
  slabs.used += row.length
  row.copy(slabs.buffer, at)
  return slabs.buffer.subarray(at, slabs.used)
}
