/**
 * Writes encoded rows to the online store and its outbox, tells the cache of this instance, and waits for as much as
 * the acknowledgement promises.
 *
 * The order is the guarantee: stored durably, then the cache, then the acknowledgement (G1, G3). The history follows
 * from the outbox, by the archiver.
 */
import { type RowKey, shardOf, splitRowKey } from '../domain/entity-key.ts'
import type { OnlineExtent } from '../domain/registry.ts'
import { markAccepted } from '../domain/row-codec.ts'
import type { OnlineStore, RowOutcome, RowWrite } from '../online/online-store.ts'
import { refuseAborted, waitFor } from './abort.ts'
import type { ArchivedRow } from './archive-waiters.ts'
import type { Archiver } from './archiver.ts'
import type { RowChanges } from './row-changes.ts'
import type { Ack } from './write-request.ts'

export interface EncodedWrite {
  /** The writer's own from now on: they get the positions the store gave them. */
  readonly rows: readonly RowWrite[]
  readonly ack: Ack
  /** Which entities of the rows' view are kept online; all unless given. */
  readonly extent?: OnlineExtent
  /** Both or neither: what makes a retry of this write recognisable. */
  readonly idempotency?: { readonly writeId: string; readonly contentHash: string }
}

export interface FeatureWriter {
  /**
   * One outcome per row, in order. Rejects with the store's RESOURCE_EXHAUSTED (the outbox is full) or ALREADY_EXISTS
   * (the write id was used for something else), having written nothing; with DEADLINE_EXCEEDED or CANCELLED when the
   * signal aborts: the message says whether the rows are written.
   */
  write(write: EncodedWrite, signal?: AbortSignal): Promise<readonly RowOutcome[]>
}

export interface FeatureWriterParts {
  readonly online: OnlineStore
  readonly archiver: Pick<Archiver, 'accepted' | 'archived'>
  readonly changes: RowChanges
}

const UNKNOWN_FATE =
  'the online store had not answered: the rows may or may not be written; retry with the same write_id to find out safely'
const NOT_ARCHIVED =
  'the rows ARE accepted online and will be archived, but the offline store had not committed them in time; a retry with the same write_id is safe'

export function createFeatureWriter({ online, archiver, changes }: FeatureWriterParts): FeatureWriter {
  /** Goes on when the request's deadline has passed: what was stored must reach the cache and the archiver. */
  async function store(write: EncodedWrite): Promise<readonly RowOutcome[]> {
    const { extent = 'all', idempotency = {} } = write
    const outcomes = await online.write(write.rows, { extent, ...idempotency })
    if (write.idempotency === undefined) tellCache(write.rows, outcomes)
    // A retry gets the first write's outcomes: its rows may long be superseded, and a default timestamp differs from the
    // stored one. The store alone knows the truth, so the cache only forgets.
    else changes.changed(write.rows.map((row) => row.key))
    archiver.accepted(write.rows.length, totalBytes(write.rows))
    return outcomes
  }

  /**
   * A superseded row tells that the store has a newer one, of which another instance's invalidation may be still to come. One that
   * is kept in the history only may be newer than one that was looked up there before.
   */
  function tellCache(rows: readonly RowWrite[], outcomes: readonly RowOutcome[]): void {
    const applied: RowWrite[] = []
    const changed: RowKey[] = []
    rows.forEach(({ key, row }, index) => {
      const { status, position } = outcomes[index]!
      if (status !== 'APPLIED') changed.push(key)
      else {
        markAccepted(row, position)
        applied.push({ key, row })
      }
    })
    changes.applied(applied)
    if (changed.length > 0) changes.changed(changed)
  }

  return {
    async write(write, signal) {
      refuseAborted(signal, 'nothing was written')
      const outcomes = await waitFor(store(write), signal, UNKNOWN_FATE)
      if (write.ack === 'BOTH') {
        const last = lastPerShard(write.rows, outcomes, online.shardCount)
        await Promise.all(last.map((row) => archiver.archived(row, signal, NOT_ARCHIVED)))
      }
      return outcomes
    },
  }
}

/** The row with the greatest position of each view and shard: when it is archived, all are. */
function lastPerShard(
  rows: readonly RowWrite[],
  outcomes: readonly RowOutcome[],
  shardCount: number,
): readonly ArchivedRow[] {
  const last = new Map<string, ArchivedRow>()
  rows.forEach((row, index) => {
    const { storageId, entityKey } = splitRowKey(row.key)
    const shard = shardOf(entityKey, shardCount)
    const { position } = outcomes[index]!
    const known = last.get(`${shard}/${storageId}`)
    if (known === undefined || known.position < position)
      last.set(`${shard}/${storageId}`, { storageId, shard, position })
  })
  return [...last.values()]
}

function totalBytes(rows: readonly RowWrite[]): number {
  let bytes = 0
  for (const { row } of rows) bytes += row.length
  return bytes
}
