/**
 * Makes the twins agree again, without ever letting an older version win (G2).
 *
 * - The online row is missing, stale, damaged, or other than the history's of the same version: the row that outbox or history has is
 *   put there by `mend`, which leaves a greater version alone. Of two sound rows of one version the history's counts: it is what
 *   models were trained on, and its files have checksums that cover all of it.
 * - The history lacks the online row: `restore` adds it with the position that it has. A new write of the same values would get
 *   a later position, and so override whatever was written meanwhile under the same event timestamp; and the history would
 *   say that it was recorded today.
 *
 * Each is idempotent, and safe beside writers and other repairs.
 */
import { type RowKey, shardOfRow } from '../domain/entity-key.ts'
import { asTwinstoreError } from '../domain/errors.ts'
import type { FeatureView } from '../domain/registry.ts'
import { rowEventMicros, rowPosition } from '../domain/row-codec.ts'
import type { RowWrite } from '../online/online-store.ts'
import type { ParityParts } from './parity-parts.ts'
import { unreadableAs } from './row-differences.ts'
import type { RepairOutcome } from './tally.ts'
import type { TwinFault } from './verdict.ts'

export type FaultyKey = readonly [key: RowKey, fault: TwinFault]

/** What became of each, in order. Never rejects: what fails is the outcome of its keys. */
export async function repair(
  parts: ParityParts,
  view: FeatureView,
  faulty: readonly FaultyKey[],
): Promise<readonly RepairOutcome[]> {
  const outcomes = new Map<RowKey, RepairOutcome>()
  const online: RowWrite[] = []
  const offline: RowWrite[] = []
  for (const [key, fault] of faulty) {
    if (fault.kind === 'missingOffline') {
      const reason = await whyNotRestored(parts, view, key, fault.online)
      if (reason === undefined) offline.push({ key, row: fault.online })
      else outcomes.set(key, { kind: 'failed', reason })
    } else if (fault.expected !== undefined) online.push({ key, row: fault.expected })
    else outcomes.set(key, { kind: 'failed', reason: 'neither history nor outbox has a row: write the entity again' })
  }
  const mended = await outcomeOf('put back online', online, () => parts.online.mend(online))
  const restored = await outcomeOf('given back to the history', offline, () => parts.offline.restore(view, offline))
  for (const { key } of online) outcomes.set(key, mended)
  for (const { key } of offline) outcomes.set(key, restored)
  return faulty.map(([key]) => outcomes.get(key)!)
}

async function outcomeOf(
  action: string,
  rows: readonly RowWrite[],
  act: () => Promise<unknown>,
): Promise<RepairOutcome> {
  try {
    if (rows.length > 0) await act()
    return { kind: 'repaired', action }
  } catch (error) {
    return { kind: 'failed', reason: asTwinstoreError(error).message }
  }
}

/**
 * The checksum leaves the header out, and a version that damage has raised is above everything. It is told by what no
 * store would have given out or accepted.
 */
async function whyNotRestored(
  { online, clock, limits }: ParityParts,
  view: FeatureView,
  key: RowKey,
  row: Buffer,
): Promise<string | undefined> {
  const unreadable = unreadableAs(view, row)
  if (unreadable !== undefined) return `${unreadable}: write the entity again`
  try {
    const last = await online.lastPosition(shardOfRow(key, online.shardCount))
    const latestMicros = clock.nowMicros() + limits.eventAheadMsMax * 1000
    if (rowPosition(row) <= last && rowEventMicros(row) <= latestMicros) return undefined
    return 'no store has given it this version, its header is damaged: remove the key from the online store and run this again'
  } catch (error) {
    return asTwinstoreError(error).message
  }
}
