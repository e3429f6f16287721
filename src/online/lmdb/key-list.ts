/** The keys of a view, page by page, in the order of the keys; each page is as of its own moment. */
import type { RowKey } from '../../domain/entity-key.ts'
import type { KeyPage, ScanCursor } from '../online-store.ts'
import type { Environment } from './environment.ts'

/** Keys in a page at most: at about 1 µs each they hold the event loop for a millisecond. */
const PAGE_KEYS_MAX = 1024

export function listKeys(env: Environment, storageId: string, cursor: ScanCursor | undefined, limit: number): KeyPage {
  const count = Math.min(Math.max(1, limit), PAGE_KEYS_MAX)
  const keys: RowKey[] = []
  // `0` is the character after `/`, so this is every key of the view and none of another.
  const range = {
    start: Buffer.from(cursor ?? `${storageId}/`, 'latin1'),
    end: Buffer.from(`${storageId}0`, 'latin1'),
    limit: count + 1,
  }
  for (const key of env.values.getKeys(range)) keys.push(key.toString('latin1') as RowKey)
  const next = keys.length > count ? (keys.pop() as string as ScanCursor) : undefined
  return { keys, next }
}
