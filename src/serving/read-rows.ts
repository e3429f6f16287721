/** The one interface of the layers between a plan and the online store: cache, then fetch. */
import type { RowKey } from '../domain/entity-key.ts'
import type { Caller } from './serving-service.ts'

export interface ReadOptions {
  /** Whether the answer must come from the online store. */
  readonly isFresh: boolean
  readonly caller: Caller | undefined
}

/** One row per key asked for, in order. */
export interface RowSet {
  /** The row, or `NO_ROW`, or `UNAVAILABLE_ROW`. */
  readonly rows: Buffer[]
  /** Not zero where the row came from an expired cache entry; undefined where none did. */
  readonly expired?: Uint8Array
}

/** Rows by key. The set, not a promise, when nothing has to be waited for. Rejects only for the request's own abort or limit. */
export type ReadRows = (keys: readonly RowKey[], options: ReadOptions) => RowSet | Promise<RowSet>

/** Stands for a row the store could not give. */
export const UNAVAILABLE_ROW: Buffer = Buffer.alloc(0)
