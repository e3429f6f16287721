/** Looks at keys one by one, as `verdict.ts` says, again and again until each has a verdict or the attempts are over. */
import { setImmediate } from 'node:timers/promises'
import { decodeEntityKey, type KeyValue, type RowKey, shardOfRow, splitRowKey } from '../domain/entity-key.ts'
import { asTwinstoreError, TwinstoreError } from '../domain/errors.ts'
import type { FeatureView } from '../domain/registry.ts'
import type { ParityParts } from './parity-parts.ts'
import { judge, type Verdict } from './verdict.ts'
import { readWaiting } from './waiting-rows.ts'

export type SettledVerdict = Exclude<Verdict, { readonly kind: 'unsettled' }>

/** One verdict per key. A key that writers keep on changing ends as pending: what is newest of it has just been written. */
export async function lookAgain(
  parts: ParityParts,
  view: FeatureView,
  keys: readonly RowKey[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<RowKey, SettledVerdict>> {
  const verdicts = new Map<RowKey, SettledVerdict>()
  let open = keys
  for (let look = 0; look < parts.limits.looksMax && open.length > 0; look++) {
    // What is under way is given its turn, so that looks do not all meet the same moment.
    await setImmediate()
    const unsettled: RowKey[] = []
    for (const [key, verdict] of await lookAt(parts, view, open, signal)) {
      if (verdict.kind === 'unsettled') unsettled.push(key)
      else verdicts.set(key, verdict)
    }
    open = unsettled
  }
  for (const key of open) verdicts.set(key, { kind: 'pending' })
  return verdicts
}

async function lookAt(
  parts: ParityParts,
  view: FeatureView,
  keys: readonly RowKey[],
  signal: AbortSignal | undefined,
): Promise<readonly (readonly [RowKey, Verdict])[]> {
  const { online, clock, limits } = parts
  const before = await online.readMany(keys)
  const wanted = new Set(keys)
  const shardsOf = new Set(keys.map((key) => shardOfRow(key, online.shardCount)))
  const waiting = await readWaiting(online, [...shardsOf], (key) => wanted.has(key), Buffer.from, limits)
  const history = await newestInHistory(parts, view, keys, signal)
  const isSynced = await parts.isSynced(view)
  const after = await online.readMany(keys)
  const nowMicros = clock.nowMicros()
  return keys.map((key, index): readonly [RowKey, Verdict] => {
    const outboxFault = waiting.faults.get(shardOfRow(key, online.shardCount))
    if (outboxFault !== undefined) return [key, { kind: 'unchecked', error: outboxFault }]
    const entity = entityOf(view, key)
    if (entity instanceof TwinstoreError) return [key, { kind: 'unchecked', error: entity }]
    const look = {
      before: before[index]!,
      waiting: waiting.rows.get(key),
      history: history.get(key),
      isSynced,
      after: after[index]!,
    }
    return [key, judge(view, look, nowMicros)]
  })
}

async function newestInHistory(
  { offline }: ParityParts,
  view: FeatureView,
  keys: readonly RowKey[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<RowKey, Buffer>> {
  const entities = keys.flatMap((key) => {
    const entity = entityOf(view, key)
    return entity instanceof TwinstoreError ? [] : [entity]
  })
  const found = await offline.latestOf(view, { entities }, signal === undefined ? {} : { signal })
  const rows = new Map<RowKey, Buffer>()
  for await (const batch of found.batches) for (const { key, row } of batch) rows.set(key, row)
  return rows
}

function entityOf(view: FeatureView, key: RowKey): readonly KeyValue[] | TwinstoreError {
  try {
    return decodeEntityKey(
      view.joinKeys.map(({ type }) => type),
      splitRowKey(key).entityKey,
    )
  } catch (error) {
    return asTwinstoreError(error)
  }
}
