import type { RowKey } from '../domain/entity-key.ts'
import type { RowWrite } from '../online/online-store.ts'

/** What the write path tells the row cache of its own instance, before a write is acknowledged (G3). */
export interface RowChanges {
  /** These rows, as stored (position and created timestamp set), are the online values now; in order of position. */
  applied(rows: readonly RowWrite[]): void
  /** The rows of these keys changed in a way the write path does not hold the bytes of: forget them. */
  changed(keys: readonly RowKey[]): void
}
