/**
 * Brings the latest row per entity of a view's table to the online store: after a sync what it added, after a loss everything.
 *
 * Rows come in key order, a bounded number of entities at a time, and the store's note (`seed-mark.ts`) follows them: a run that is
 * killed is continued by the next one, by whichever instance. Seeding takes a row only if its version is greater than the online
 * one, so it goes on beside writes, and doing a part twice changes nothing. It never touches the outbox.
 *
 * The table goes on growing meanwhile. Each read is of its newest version; what the entities already done got since the pass
 * began is brought by a second, small pass over the files that are new.
 */
import { randomUUID } from 'node:crypto'
import { decodeEntityKey, splitRowKey } from '../domain/entity-key.ts'
import type { FeatureView } from '../domain/registry.ts'
import type { JobProgress, OfflineStore } from '../offline/offline-store.ts'
import type { OnlineStore, RowWrite } from '../online/online-store.ts'
import { refuseAborted } from './abort.ts'
import type { RowChanges } from './row-changes.ts'
import { readSeedMark, type SeedMark, type SeedPass, type SeedPoint, writeSeedMark } from './seed-mark.ts'

export interface SeedParts {
  readonly online: Pick<OnlineStore, 'seed' | 'readMark' | 'writeMark'>
  readonly offline: Pick<OfflineStore, 'latest' | 'status'>
  readonly changes: RowChanges
  /** `sync-seed-rows`: rows brought online in one batch; other writes get their turn between batches. */
  readonly seedRows: number
  /** `sync-pass-rows`: entities that are read from the table at a time. */
  readonly passRows: number
}

export interface SeedOptions {
  /** What has to be online when it resolves: the rows of the newest sync, or everything that is in the table now. */
  readonly goal: 'synced' | 'all'
  /** From the beginning, whatever the store's note says is done. */
  readonly anew?: boolean
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: JobProgress) => void
}

export interface SeedResult {
  /** Latest rows that were gone over. */
  readonly rowsRead: number
  /** Those that became the online value. */
  readonly rowsOnline: number
  /** Entities that an earlier run, which did not end, had done. */
  readonly entitiesResumed: number
  readonly tableVersion: number
}

/** One over what the table holds and one over what it got meanwhile; a third would chase a table that is always written to. */
const PASSES_MAX = 2
/** Batches between two notes: a note costs about as much as a batch. */
const BATCHES_PER_NOTE = 8

export async function seedOnline(parts: SeedParts, view: FeatureView, options: SeedOptions): Promise<SeedResult> {
  let mark = options.anew ? {} : await readSeedMark(parts.online, view)
  let rowsRead = 0
  let rowsOnline = 0
  const entitiesResumed = mark.pass?.entities ?? 0
  for (let passes = 0; passes < PASSES_MAX; passes++) {
    const table = await parts.offline.status(view)
    // A note of a table that was there before this one says nothing of it.
    if (isBeyond(mark, table.tableVersion)) mark = {}
    if (isReached(mark, { version: table.tableVersion, syncPosition: table.syncPosition }, options.goal)) break
    const pass = await runPass(parts, view, mark, options)
    rowsRead += pass.rowsRead
    rowsOnline += pass.rowsOnline
    mark = { through: pass.point }
  }
  return { rowsRead, rowsOnline, entitiesResumed, tableVersion: mark.through?.version ?? -1 }
}

/** Whether every row that the view's source has brought is online. */
export async function isSynced({ online, offline }: Pick<SeedParts, 'online' | 'offline'>, view: FeatureView) {
  const { tableVersion, syncPosition } = await offline.status(view)
  const mark = await readSeedMark(online, view)
  return !isBeyond(mark, tableVersion) && isReached(mark, { version: tableVersion, syncPosition }, 'synced')
}

/** Rows that were written are online before they are in the table: for `synced` only what syncs brought counts. */
function isReached({ through, pass }: SeedMark, table: SeedPoint, goal: SeedOptions['goal']): boolean {
  if (through === undefined || pass !== undefined) return false
  return goal === 'all' ? through.version === table.version : through.syncPosition === table.syncPosition
}

function isBeyond({ through, pass }: SeedMark, tableVersion: number): boolean {
  return Math.max(through?.version ?? -1, pass?.point.version ?? -1) > tableVersion
}

async function runPass(
  parts: SeedParts,
  view: FeatureView,
  mark: SeedMark,
  { signal, onProgress }: SeedOptions,
): Promise<{ readonly point: SeedPoint; readonly rowsRead: number; readonly rowsOnline: number }> {
  let pass: SeedPass | undefined = mark.pass
  const since = pass === undefined ? mark.through?.version : pass.since
  const note = noteWriter(parts, view, mark.through)
  let rowsRead = 0
  let rowsOnline = 0
  for (;;) {
    const { after } = pass ?? {}
    const latest = await parts.offline.latest(view, {
      limit: parts.passRows,
      ...(since === undefined ? {} : { sinceVersion: since }),
      ...(after === undefined ? {} : { after }),
      ...(signal === undefined ? {} : { signal }),
      ...(onProgress === undefined ? {} : { onProgress }),
    })
    if (pass === undefined) {
      const point = { version: latest.tableVersion, syncPosition: latest.syncPosition }
      pass = { id: randomUUID(), point, entities: 0, ...(since === undefined ? {} : { since }) }
      await note.begin(pass)
    }
    const total = pass.entities + latest.entities
    let read = 0
    for await (const rows of batchesOf(latest.batches, parts.seedRows)) {
      refuseAborted(signal, `the rows of ${view.name} are not all online yet; the next one brings the rest`)
      const applied = await appliedOf(parts, rows)
      rowsOnline += applied
      read += rows.length
      pass = { ...pass, after: keyTextsOf(view, rows.at(-1)!), entities: pass.entities + rows.length }
      await note.advance(pass)
      onProgress?.({ step: 'bringing rows online', fraction: pass.entities / Math.max(1, total) })
    }
    rowsRead += read
    if (latest.entities > parts.passRows) continue
    await note.end(pass)
    return { point: pass.point, rowsRead, rowsOnline }
  }
}

/** Writes the notes of a pass until it is overtaken. */
function noteWriter({ online }: SeedParts, view: FeatureView, through: SeedPoint | undefined) {
  const before = through === undefined ? {} : { through }
  let batches = 0
  const isOwn = async ({ id }: SeedPass) => (await readSeedMark(online, view)).pass?.id === id
  return {
    begin: (pass: SeedPass) => writeSeedMark(online, view, { ...before, pass }),
    async advance(pass: SeedPass): Promise<void> {
      if (++batches % BATCHES_PER_NOTE === 0 && (await isOwn(pass)))
        await writeSeedMark(online, view, { ...before, pass })
    },
    async end(pass: SeedPass): Promise<void> {
      if (await isOwn(pass)) await writeSeedMark(online, view, { through: pass.point })
    },
  }
}

export async function* batchesOf(
  batches: AsyncIterable<readonly RowWrite[]>,
  rowsMax: number,
): AsyncGenerator<readonly RowWrite[]> {
  for await (const batch of batches) {
    for (let from = 0; from < batch.length; from += rowsMax) yield batch.slice(from, from + rowsMax)
  }
}

/** How many became the online value; rows that are older than the online one change nothing. */
export async function appliedOf(
  { online, changes }: { readonly online: Pick<OnlineStore, 'seed'>; readonly changes: RowChanges },
  rows: readonly RowWrite[],
): Promise<number> {
  const statuses = await online.seed(rows)
  const applied = rows.filter((_, index) => statuses[index] === 'APPLIED')
  changes.changed(applied.map((row) => row.key))
  return applied.length
}

function keyTextsOf(view: FeatureView, { key }: RowWrite): readonly string[] {
  const types = view.joinKeys.map((joinKey) => joinKey.type)
  return decodeEntityKey(types, splitRowKey(key).entityKey).map(String)
}
