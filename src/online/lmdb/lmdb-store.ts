/**
 * The embedded online store: one LMDB folder on this machine.
 *
 * A write's values, outbox entries, write-id record and counters are one LMDB transaction, which reads what it decides on
 * (versions, the last position, room) inside itself: correctness never rests on this process's memory, so several
 * processes may write one folder (option `shared`). What does not cross processes is `watch`: workers of one server tell
 * each other (`workers/shared-watch.ts`), and `lib/folder-lock.ts` keeps a folder to one server. A process that is
 * killed holding LMDB's write lock hands it on, and its reader slot is cleared by the next one that opens the folder.
 *
 * Rejected: one folder per shard (more parallel commits, but a batch would flush several times, and one disk serves
 * them all), and rows in a pool of reader threads (a copy between threads costs more than the read).
 */
import { randomUUID } from 'node:crypto'
import { TwinstoreError } from '../../domain/errors.ts'
import type { WriteStatus } from '../../domain/outcome.ts'
import { nextPosition, type Position } from '../../domain/version.ts'
import type { Invalidation, OnlineStore, RowWrite } from '../online-store.ts'
import { readAborted } from '../read-aborted.ts'
import { releaseClaims, renewClaims } from './claims.ts'
import { commitQueue } from './commit-queue.ts'
import { openDurably } from './durability.ts'
import { entryCount } from './environment.ts'
import { raiseHorizon } from './horizons.ts'
import { listKeys } from './key-list.ts'
import type { LmdbStoreOptions } from './lmdb-options.ts'
import { readOutboxEntries, trimOutboxStep } from './outbox.ts'
import { readRows } from './row-reader.ts'
import { removeRows } from './row-remover.ts'
import {
  applyWrite,
  type PutRow,
  prepareWrite,
  putIfGreater,
  putOverDamage,
  putRows,
  refuseFullStore,
} from './row-writer.ts'
import { readCounters, readOrCreateHeader, writeCounters } from './store-header.ts'
import { keyBytes } from './value-key.ts'

/** Rows that share a commit: at about 15 µs a row of 2 KB they hold the event loop for 4 ms. */
const COMMIT_ROWS_MAX = 256
/** Rows that a trim drops per transaction, which is about as long; writes get in between. */
const TRIM_ROWS = 512

export async function openLmdbStore(options: LmdbStoreOptions): Promise<OnlineStore> {
  const { dir, clock } = options
  const env = await openDurably(dir, options.durability, options.storeBytesMax, options.shared ?? false)
  const header = await env
    .transact(() => readOrCreateHeader(env, dir, { storeId: randomUUID(), shardCount: options.shardCount }))
    .catch(async (error: unknown) => {
      await env.close()
      throw error
    })

  const commits = commitQueue(env.transact, COMMIT_ROWS_MAX)
  const listeners = new Set<(changed: Invalidation) => void>()
  let closing: Promise<void> | undefined

  function checkOpen(): void {
    if (closing !== undefined) throw new TwinstoreError('UNAVAILABLE', `the online store in ${dir} is closed`)
  }

  async function change<T>(rows: number, apply: () => T): Promise<T> {
    checkOpen()
    return await commits.run(rows, apply)
  }

  /** Stores rows that have their positions. */
  async function put(rows: readonly RowWrite[], putRow: PutRow): Promise<readonly WriteStatus[]> {
    const keys = rows.map((row) => keyBytes(row.key))
    const statuses = await change(rows.length, () => {
      refuseFullStore(env, options)
      return putRows(env, rows, keys, putRow)
    })
    notify(rows.filter((_, index) => statuses[index] === 'APPLIED').map((row) => row.key))
    return statuses
  }

  function notify(changed: Invalidation): void {
    if (changed.length > 0) for (const listener of [...listeners]) listener(changed)
  }

  return {
    storeId: header.storeId,
    shardCount: header.shardCount,

    async readMany(keys, { signal } = {}) {
      return await readRows(env, keys, () => {
        checkOpen()
        if (signal?.aborted) throw readAborted(signal)
      })
    },

    async write(rows, writeOptions = {}) {
      const prepared = prepareWrite(rows, writeOptions)
      const effect = await change(rows.length, () =>
        applyWrite(env, prepared, clock.nowMicros(), header.shardCount, options),
      )
      notify(effect.changed)
      return effect.outcomes
    },

    seed: (rows) => put(rows, putIfGreater),

    mend: (rows) => put(rows, putOverDamage),

    async scanKeys(storageId, cursor, limit) {
      checkOpen()
      env.refresh()
      return listKeys(env, storageId, cursor, limit)
    },

    async remove(rowKeys, before) {
      const keys = rowKeys.map(keyBytes)
      const removed = await change(keys.length, () => removeRows(env, keys, before))
      notify(rowKeys.filter((_, index) => removed[index]))
      return removed
    },

    async raiseHorizon(storageId, eventMicros) {
      await change(0, () => raiseHorizon(env, storageId, eventMicros))
    },

    async readOutbox(shard, after, limits) {
      checkOpen()
      env.refresh()
      return readOutboxEntries(env, shard, after, limits)
    },

    async trimOutbox(shard, through) {
      while (await change(TRIM_ROWS, () => trimOutboxStep(env, shard, through, TRIM_ROWS)));
    },

    async outboxDepth() {
      checkOpen()
      env.refresh()
      return { rows: entryCount(env.outbox), bytes: readCounters(env).outboxBytes }
    },

    async reservePosition() {
      return await change(0, () => {
        const counters = readCounters(env)
        const position = nextPosition(counters.position, clock.nowMicros())
        writeCounters(env, { ...counters, position })
        return position
      })
    },

    async raisePositions(_shard, floor) {
      await change(0, () => {
        const counters = readCounters(env)
        if (floor > counters.position) writeCounters(env, { ...counters, position: floor })
      })
    },

    async lastPosition() {
      checkOpen()
      env.refresh()
      return readCounters(env).position as Position
    },

    async claimShards(claim) {
      return await change(0, () => renewClaims(env, claim, header.shardCount, clock.nowMicros() / 1000))
    },

    async releaseShards(owner) {
      await change(0, () => releaseClaims(env, owner))
    },

    async readMark(name) {
      checkOpen()
      env.refresh()
      return env.marks.get(Buffer.from(name))?.toString('utf8')
    },

    async writeMark(name, value) {
      await change(0, () => {
        env.marks.put(Buffer.from(name), Buffer.from(value))
      })
    },

    async claimMark(name, value) {
      return await change(0, () => {
        const known = env.marks.get(Buffer.from(name))?.toString('utf8')
        if (known === undefined) env.marks.put(Buffer.from(name), Buffer.from(value))
        return known ?? value
      })
    },

    watch(listener) {
      const own = (changed: Invalidation): void => listener(changed)
      listeners.add(own)
      return () => listeners.delete(own)
    },

    async health() {
      checkOpen()
      env.refresh()
      readCounters(env)
    },

    async close() {
      closing ??= commits.idle().then(() => env.close())
      await closing
    },
  }
}
