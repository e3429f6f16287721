import type { RowKey } from '../../domain/entity-key.ts'
import { splitRowKey } from '../../domain/entity-key.ts'
import { TwinstoreError } from '../../domain/errors.ts'
import { KEY_BYTES_MAX } from './environment.ts'

/** The bytes LMDB stores a row under; INVALID_ARGUMENT if it takes no key that long. */
export function keyBytes(key: RowKey): Buffer {
  if (key.length > KEY_BYTES_MAX) throw tooLong(key)
  return Buffer.from(key, 'latin1')
}

function tooLong(key: RowKey): TwinstoreError {
  const { storageId, entityKey } = splitRowKey(key)
  const room = KEY_BYTES_MAX - storageId.length - 1
  return new TwinstoreError(
    'INVALID_ARGUMENT',
    `an entity key of view ${storageId} has ${entityKey.length} bytes; the LMDB online store takes up to ${room} for this view: use shorter join-key values`,
  )
}
