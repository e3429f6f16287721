/**
 * The LMDB environment of a store: its tables, its write transactions and what it holds.
 *
 * lmdb-js runs a transaction's function on the event loop while a pool thread holds the write lock, and commits on that
 * thread, so that a flush to disk never blocks requests. Two of its settings are chosen against their defaults:
 * - `overlappingSync: false`. A commit is then visible exactly when it is durable, so nothing (the archiver above all)
 *   can act on a row that a loss of power takes back. The default makes commits visible first, and its promise
 *   resolves after the flush all the same (seen with strace, lmdb 3.5.6): it would buy nothing.
 * - `eventTurnBatching: false`. With it a failed commit also rejects an internal promise nobody can handle, which ends the
 *   process (seen on a full disk).
 *
 * Every change runs in a child transaction of its own: one that throws is undone alone, while a plain transaction of
 * lmdb-js commits what was done before the throw.
 */
import { accessSync, constants, mkdirSync } from 'node:fs'
import { type Database, open, type RootDatabase } from 'lmdb'
import { TwinstoreError } from '../../domain/errors.ts'
import { lmdbFault, openFault } from './lmdb-error.ts'
import type { LmdbDurability } from './lmdb-options.ts'

export type Table = Database<Buffer, Buffer>

const TABLES = ['values', 'outbox', 'meta', 'write-ids', 'write-id-expiry', 'marks'] as const

/** The longest key LMDB takes with pages of 4096 bytes. */
export const KEY_BYTES_MAX = 1978

export interface Environment {
  /** Row key to row. */
  readonly values: Table
  /** See `outbox.ts`. */
  readonly outbox: Table
  /** `header`, `counters` and `claims`. */
  readonly meta: Table
  /** See `write-ids.ts`. */
  readonly writeIds: Table
  readonly writeIdExpiry: Table
  readonly marks: Table
  /** Runs `change` in a transaction; what it throws undoes its changes and rejects. Resolves once committed. */
  transact<T>(change: () => T): Promise<T>
  /** Lets the next read see every commit made so far, by any process. */
  refresh(): void
  /** Bytes of pages in use by values and outbox. */
  usedBytes(): number
  close(): Promise<void>
}

export interface TableStats {
  readonly entryCount: number
}

interface PageStats extends TableStats {
  readonly pageSize: number
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
}

export function openEnvironment(dir: string, durability: LmdbDurability, mapBytes: number): Environment {
  let root: RootDatabase<Buffer, Buffer> | undefined
  try {
    root = open<Buffer, Buffer>({
      path: dir,
      // Without this a folder with a dot in its name would be taken for a file.
      noSubdir: false,
      encoding: 'binary',
      keyEncoding: 'binary',
      maxDbs: TABLES.length,
      mapSize: mapBytes,
      overlappingSync: false,
      noSync: durability === 'process',
      eventTurnBatching: false,
    })
    refuseForeign(dir, root)
    return environmentOf(root)
  } catch (error) {
    void root?.close()
    throw openFault(dir, error)
  }
}

function environmentOf(root: RootDatabase<Buffer, Buffer>): Environment {
  const table = (name: (typeof TABLES)[number]): Table =>
    root.openDB<Buffer, Buffer>(name, { encoding: 'binary', keyEncoding: 'binary' })
  const values = table('values')
  const outbox = table('outbox')
  return {
    values,
    outbox,
    meta: table('meta'),
    writeIds: table('write-ids'),
    writeIdExpiry: table('write-id-expiry'),
    marks: table('marks'),
    async transact(change) {
      try {
        return await root.childTransaction(change)
      } catch (error) {
        throw await lmdbFault(error)
      }
    },
    refresh: () => root.resetReadTxn(),
    usedBytes: () => pageBytes(values) + pageBytes(outbox),
    close: () => root.close(),
  }
}

export function entryCount(table: Table): number {
  return (table.getStats() as TableStats).entryCount
}

function pageBytes(table: Table): number {
  const stats = table.getStats() as PageStats
  return stats.pageSize * (stats.treeBranchPageCount + stats.treeLeafPageCount + stats.overflowPages)
}

export function prepareFolder(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true })
    accessSync(dir, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new TwinstoreError(
      'FAILED_PRECONDITION',
      `cannot use ${dir} for the online store: ${(error as Error).message}; give a folder this user may write (--online lmdb:<dir>)`,
      { cause: error },
    )
  }
}

/** A database of another program must not get our tables beside its own. */
function refuseForeign(dir: string, root: RootDatabase<Buffer, Buffer>): void {
  const ours: readonly string[] = TABLES
  for (const name of root.getKeys()) {
    // LMDB keeps a table's name as a C string.
    if (ours.includes(name.toString('latin1').replace(/\0$/, ''))) continue
    throw new TwinstoreError(
      'FAILED_PRECONDITION',
      `${dir} holds an LMDB database that is not an online store of Twinstore; give another folder (--online lmdb:<dir>)`,
    )
  }
}
