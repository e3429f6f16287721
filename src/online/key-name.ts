import { type RowKey, splitRowKey } from '../domain/entity-key.ts'

/** How a message names a row: its view and its entity key in hex. */
export function keyName(key: RowKey): string {
  const { storageId, entityKey } = splitRowKey(key)
  return `view ${storageId}, entity key ${Buffer.from(entityKey, 'latin1').toString('hex')}`
}
