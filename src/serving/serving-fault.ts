import type { RowKey } from '../domain/entity-key.ts'
import type { TwinstoreError } from '../domain/errors.ts'

/**
 * Something that degraded slots of an answer instead of failing the request, for the log.
 *
 * - `row`: the store reported a fault of this row, for example that its bytes are corrupt.
 * - `fetch`: the store failed to answer for a whole batch of `keyCount` keys.
 * - `lookUp`: `keyCount` rows of the view could not be looked up in the history, or not in time.
 * - `onDemand`: the view's computation failed for `rowCount` entity rows of one request; `error` is the first of them.
 */
export type ServingFault =
  | { readonly kind: 'row'; readonly key: RowKey; readonly error: TwinstoreError }
  | { readonly kind: 'fetch'; readonly keyCount: number; readonly error: TwinstoreError }
  | { readonly kind: 'lookUp'; readonly view: string; readonly keyCount: number; readonly error: TwinstoreError }
  | { readonly kind: 'onDemand'; readonly view: string; readonly rowCount: number; readonly error: TwinstoreError }

export type OnFault = (fault: ServingFault) => void
