/** What `twinstore plan` works out for one view, from its definition and what is known of how long its syncs take. */
import {
  type BlindWindow,
  blindWindow,
  inWords,
  isSyncedInTime,
  type SyncTimes,
  type WaysOut,
  waysOut,
} from '../domain/blind-window.ts'
import type { FeatureView } from '../domain/registry.ts'

export type PlannedView = Pick<
  FeatureView,
  'name' | 'ttlMicros' | 'syncEverySeconds' | 'syncComputeSeconds' | 'mayBeBlind' | 'source'
>

/** How long a sync takes, and who says so. */
export interface ComputeTime {
  readonly seconds: number
  readonly from: 'flag' | 'last sync' | 'definitions'
}

export interface ViewPlan {
  readonly view: string
  readonly ttlSeconds?: number
  readonly everySeconds?: number
  readonly compute?: ComputeTime
  /**
   * `refused`: by apply and serve. `accepted`: it would be, but for allowBlindWindow. `slow`: would be, if the definitions said
   * how long a sync takes.
   */
  readonly verdict: 'no ttl' | 'no schedule' | 'in time' | 'slow' | 'accepted' | 'refused'
  /** With an event timestamp that says when the value was ready, and with one that says when its data was read. */
  readonly ready?: BlindWindow
  readonly read?: BlindWindow
  readonly waysOut?: { readonly ready: WaysOut; readonly read: WaysOut }
}

export function planOf(view: PlannedView, known: ComputeTime | undefined): ViewPlan {
  const stated = view.syncComputeSeconds
  const compute = known ?? (stated === undefined ? undefined : { seconds: stated, from: 'definitions' as const })
  const ttlSeconds = view.ttlMicros === undefined ? undefined : view.ttlMicros / 1e6
  const everySeconds = view.syncEverySeconds
  const base = {
    view: view.name,
    ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    ...(everySeconds === undefined ? {} : { everySeconds }),
    ...(compute === undefined ? {} : { compute }),
  }
  if (everySeconds === undefined) return { ...base, verdict: 'no schedule' }
  if (ttlSeconds === undefined) return { ...base, verdict: 'no ttl' }
  const times: SyncTimes = { ttlSeconds, everySeconds, computeSeconds: compute?.seconds ?? 0 }
  return {
    ...base,
    verdict: verdictOf(view, times),
    ready: blindWindow(times, 'ready'),
    read: blindWindow(times, 'read'),
    ...(isSyncedInTime(times) ? {} : { waysOut: { ready: waysOut(times, 'ready'), read: waysOut(times, 'read') } }),
  }
}

function verdictOf({ mayBeBlind, syncComputeSeconds = 0 }: PlannedView, times: SyncTimes): ViewPlan['verdict'] {
  if (isSyncedInTime(times)) return 'in time'
  if (mayBeBlind) return 'accepted'
  return isSyncedInTime({ ...times, computeSeconds: syncComputeSeconds }) ? 'slow' : 'refused'
}

/** The blind window of one cycle in a few words. */
export function windowInWords({ ready }: ViewPlan): string {
  if (ready === undefined) return ''
  if (ready.blindSeconds > 0) return `${inWords(ready.blindSeconds)} of every ${inWords(ready.cycleSeconds)}`
  if (ready.blindAfterFailureSeconds > 0) return `${inWords(ready.blindAfterFailureSeconds)} when a sync fails`
  return 'none'
}

/** The arithmetic, and the three ways out, for people; empty for a view that is synced in time. */
export function explanation(plan: ViewPlan): readonly string[] {
  const { ready, read, ttlSeconds, compute, waysOut: ways } = plan
  if (ways === undefined || ready === undefined || read === undefined || ttlSeconds === undefined) return []
  const { seconds: computeSeconds = 0 } = compute ?? {}
  return [
    `${plan.view}: ${headline(plan, ready)}`,
    ...arithmetic(ready, ttlSeconds, plan.everySeconds!, computeSeconds),
    ...(computeSeconds === 0 ? [] : whenRead(read, ttlSeconds)),
    '  Three ways out:',
    ...raiseTtl(ready, ways, computeSeconds),
    ...syncMoreOften(ways.ready, computeSeconds),
    ...makeFaster(ready, ttlSeconds, compute?.seconds),
  ]
}

function headline({ verdict }: ViewPlan, ready: BlindWindow): string {
  const gap =
    ready.blindSeconds > 0
      ? `a gap of ${inWords(ready.blindSeconds)} in every ${inWords(ready.cycleSeconds)}, in which no value is within its ttl`
      : `no gap while all syncs succeed, ${inWords(ready.blindAfterFailureSeconds)} when one fails`
  switch (verdict) {
    case 'refused':
      return `${gap}. apply and serve refuse it.`
    case 'slow':
      return `${gap}. apply and serve would refuse it if sync.computeTime said how long a sync takes.`
    default:
      return `${gap}. It is accepted (sync.allowBlindWindow).`
  }
}

function arithmetic(
  ready: BlindWindow,
  ttlSeconds: number,
  everySeconds: number,
  computeSeconds: number,
): readonly string[] {
  const cycle = inWords(ready.cycleSeconds)
  const slow =
    computeSeconds > everySeconds
      ? [
          `  A sync takes ${inWords(computeSeconds)} and the next begins after it, so values arrive every ${cycle}, not every ${inWords(everySeconds)}.`,
        ]
      : []
  const gap =
    ready.blindSeconds > 0
      ? `${cycle} - ${inWords(ttlSeconds)} = ${inWords(ready.blindSeconds)}`
      : `2 x ${cycle} - ${inWords(ttlSeconds)} = ${inWords(ready.blindAfterFailureSeconds)} when a sync fails`
  const failing =
    ready.blindSeconds > 0
      ? [`  When a sync fails: 2 x ${cycle} - ${inWords(ttlSeconds)} = ${inWords(ready.blindAfterFailureSeconds)}.`]
      : []
  return [
    ...slow,
    `  A value is fresh for ${inWords(ttlSeconds)} (ttl) after it arrives, and the next one arrives ${cycle} after it: ${gap}.`,
    ...failing,
  ]
}

function whenRead(read: BlindWindow, ttlSeconds: number): readonly string[] {
  const age = inWords(read.ageOnArrivalSeconds)
  const outcome =
    read.ageOnArrivalSeconds >= ttlSeconds
      ? 'so past its ttl: no value is ever fresh'
      : `and the gap is ${inWords(read.blindSeconds)} in every ${inWords(read.cycleSeconds)}`
  return [
    '  That is so if event_timestamp says when the value was ready. If it says when the data was read that the value was made from,',
    `  a value is ${age} old when it arrives, ${outcome}.`,
  ]
}

function raiseTtl(
  { blindSeconds }: BlindWindow,
  { ready, read }: NonNullable<ViewPlan['waysOut']>,
  computeSeconds: number,
): readonly string[] {
  const least = (ways: WaysOut) =>
    blindSeconds > 0
      ? `${inWords(ways.ttlSeconds)}; ${inWords(ways.ttlWithoutMarginSeconds)} closes the gap only while no sync fails`
      : inWords(ways.ttlSeconds)
  return [
    `  1. Raise the ttl to at least ${least(ready)}.`,
    ...(computeSeconds === 0 ? [] : [`     With timestamps of when data was read: ${least(read)}.`]),
  ]
}

function syncMoreOften({ everySeconds }: WaysOut, computeSeconds: number): readonly string[] {
  const often = `  2. Sync at least every ${inWords(everySeconds)}`
  if (computeSeconds <= everySeconds) return [`${often}.`]
  return [
    `${often}. That needs the computation to take no longer: it takes ${inWords(computeSeconds)}, and syncs of a view do not overlap.`,
  ]
}

function makeFaster(
  { blindSeconds }: BlindWindow,
  ttlSeconds: number,
  computeSeconds: number | undefined,
): readonly string[] {
  const half = Math.max(1, Math.floor(ttlSeconds / 2))
  const faster =
    computeSeconds !== undefined && computeSeconds > half
      ? `Make the computation faster, to at most ${inWords(half)}, so that it can run that often; or write`
      : 'Write'
  const alone =
    computeSeconds !== undefined && blindSeconds > 0
      ? ['     A faster computation alone makes values younger and leaves the gap, which comes from the interval.']
      : []
  return [
    `  3. ${faster} values as they change (WriteFeatures), let the sync correct them, and set sync.allowBlindWindow.`,
    ...alone,
  ]
}
