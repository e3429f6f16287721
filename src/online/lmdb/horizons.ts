/**
 * The horizons of views of which only some entities are online (`OnlineStore.raiseHorizon`): in the table `meta`, under
 * `horizon/<storage id>`, as the eight bytes that an event timestamp is in a row's header.
 */
import { type RowKey, splitRowKey } from '../../domain/entity-key.ts'
import type { OnlineExtent } from '../../domain/registry.ts'
import { VERSION_OFFSET, versionBytes } from '../../domain/row-codec.ts'
import { NO_POSITION } from '../../domain/version.ts'
import type { Environment } from './environment.ts'

const EVENT_BYTES = 8

/** Must run in a transaction. */
export function raiseHorizon(env: Environment, storageId: string, eventMicros: number): void {
  const horizon = versionBytes({ eventMicros, position: NO_POSITION }).subarray(0, EVENT_BYTES)
  const known = env.meta.get(horizonKey(storageId))
  if (known === undefined || horizon.compare(known) > 0) env.meta.put(horizonKey(storageId), horizon)
}

/** Whether a row that is accepted with this extent may become the online value. */
export function isKeptOnline(
  env: Environment,
  extent: OnlineExtent,
  key: RowKey,
  keyBytes: Buffer,
  row: Buffer,
): boolean {
  if (extent !== 'some') return extent === 'all'
  if (env.values.getBinaryFast(keyBytes) !== undefined) return true
  const horizon = env.meta.get(horizonKey(splitRowKey(key).storageId))
  return horizon === undefined || row.compare(horizon, 0, EVENT_BYTES, VERSION_OFFSET, VERSION_OFFSET + EVENT_BYTES) > 0
}

function horizonKey(storageId: string): Buffer {
  return Buffer.from(`horizon/${storageId}`)
}
