/** One GetFeatures call as reads of single keys. */
import type { Read } from './history.ts'
import type { Life } from './instances.ts'
import type { Recorder } from './recorder.ts'

const DEADLINE_MS = 4000
const COLUMN = 'ledger__attempt'

/** The reads are the caller's to keep; none when the call failed, which the recorder knows. */
export async function readKeys(
  recorder: Pick<Recorder, 'call'>,
  life: Life,
  keys: readonly number[],
  consistency: Read['consistency'],
): Promise<Read[]> {
  const entities = keys.map((key) => ({ account: BigInt(key) }))
  const { sentMs, endedMs, answer } = await recorder.call(
    'read',
    () => life.client.getFeatures({ service: 'balances', entities, consistency, deadlineMs: DEADLINE_MS }),
    ({ rows }) => ({
      slotsUnavailable: rows.filter((row) => row.statuses[COLUMN] === 'UNAVAILABLE').length,
      slotsStale: rows.filter((row) => row.staleViews.length > 0).length,
    }),
  )
  return (answer?.rows ?? []).map((row, index) => ({
    key: keys[index]!,
    instance: life.name,
    consistency,
    sentMs,
    endedMs,
    status: row.statuses[COLUMN]!,
    attempt: (row.values[COLUMN] as bigint | null) ?? undefined,
    isStale: row.staleViews.length > 0,
  }))
}
