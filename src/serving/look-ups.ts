/**
 * Looks for rows in the history that the online store does not have, for views that say so (`onMiss`).
 *
 * A flight whose key the online store does not know is taken over here: those who wait for it go on waiting, others may join
 * it, and what is found is kept in L1 by the rules of every fill, so that a write in the meantime outdates it. The misses
 * of one turn of the event loop, and of the time in which all jobs are busy, go out together, per view.
 *
 * Bounds: entities per second and view (the view's budget; unused budget is kept for a second), jobs at a time, entities
 * per job, and the view's time limit, which counts from the miss. What is beyond a bound is a miss as if there were no look-up, is
 * counted, and is tried again by the first request that comes `RETRY_AFTER_MS` later. A view without look-ups costs nothing here.
 */
import type { DefinitionsSource } from '../domain/definitions-source.ts'
import { type RowKey, splitRowKey } from '../domain/entity-key.ts'
import { asTwinstoreError, TwinstoreError } from '../domain/errors.ts'
import { type Definitions, type FeatureView, type OfflineLookup, storageId } from '../domain/registry.ts'
import { markFromHistory } from '../domain/row-codec.ts'
import type { Clock } from '../lib/clock.ts'
import type { Flight } from './flight.ts'
import type { OnFault } from './serving-fault.ts'

/** The latest row of each key in the history, in order; null where there is none. */
export type LookUpRows = (
  view: FeatureView,
  keys: readonly RowKey[],
  signal: AbortSignal,
) => Promise<readonly (Buffer | null)[]>

export interface LookUpOptions {
  readonly lookUp: LookUpRows
  /** Jobs at a time (option `look-up-jobs-max`). */
  readonly jobsMax: number
  /** Keys of one job (option `look-up-batch-max`). */
  readonly batchKeysMax: number
}

export interface LookUpCounts {
  /** Jobs. */
  lookUps: number
  lookedUpKeys: number
  /** Of these, keys that have a row. */
  foundKeys: number
  /** Keys that were not looked up because the view's budget was spent. */
  refusedKeys: number
  /** Keys whose look-up failed or came too late. */
  failedKeys: number
}

/** How long a miss that could not be looked up is kept in L1: the time in which the budget is filled again. */
export const RETRY_AFTER_MS = 1000

export interface LookUps {
  /** Whether a key that the online store does not have is looked up at all. */
  concerns(key: RowKey): boolean
  /**
   * Takes over a flight that it concerns. False: it is beyond the budget, and a miss. Else `landed` is called once, with
   * the row, null if the history has none, or undefined if nobody knows.
   */
  take(flight: Flight, landed: (row: Buffer | null | undefined) => void): boolean
}

/** Flights of one view that came in one turn, and have one time limit. */
interface Party {
  readonly view: FeatureView
  readonly seats: Map<RowKey, (row: Buffer | null | undefined) => void>
  isDone: boolean
  timer: { cancel(): void } | undefined
}

/** A view's rule, and what is left of its budget. */
interface Rule {
  readonly view: FeatureView
  readonly lookup: OfflineLookup
  tokens: number
  filledAtMs: number
}

export function offlineLookUps(
  definitions: DefinitionsSource,
  clock: Pick<Clock, 'monotonicMs' | 'after'>,
  options: LookUpOptions,
  counts: LookUpCounts,
  onFault: OnFault,
  defer: (run: () => void) => void,
): LookUps {
  let rules = new Map<string, Rule>()
  let madeFrom: Definitions | undefined
  /** Waiting for a job, the longest first; those that others of this turn may still join are in `gathering` too. */
  let waiting: Party[] = []
  const gathering = new Map<string, Party>()
  /** Jobs under way; one for which nobody waits any more is aborted, and gives its place to others. */
  const jobs = new Map<AbortController, readonly Party[]>()

  function ruleOf(key: RowKey): Rule | undefined {
    if (definitions.current !== madeFrom) {
      madeFrom = definitions.current
      rules = rulesOf(madeFrom, rules, clock.monotonicMs())
    }
    return rules.size === 0 ? undefined : rules.get(splitRowKey(key).storageId)
  }

  function gather(key: RowKey, { view, lookup }: Rule, landed: (row: Buffer | null | undefined) => void): void {
    const id = storageId(view)
    const open = gathering.get(id)
    // A key comes twice when a FRESH request asks for it again.
    if (open !== undefined && open.seats.size < options.batchKeysMax && !open.seats.has(key)) {
      open.seats.set(key, landed)
      return
    }
    const party: Party = { view, seats: new Map([[key, landed]]), isDone: false, timer: undefined }
    party.timer = clock.after(lookup.timeoutMs, () => timeOut(party, lookup))
    if (gathering.size === 0) defer(sendGathered)
    gathering.set(id, party)
    waiting.push(party)
  }

  function sendGathered(): void {
    gathering.clear()
    sendWaiting()
  }

  function sendWaiting(): void {
    while (jobs.size < options.jobsMax && waiting.length > 0) void send(nextParties())
  }

  /** The party that has waited longest, and others of its view as far as a job takes them. */
  function nextParties(): readonly Party[] {
    const [first] = waiting
    let room = options.batchKeysMax
    const parties = waiting.filter(({ view, seats }) => {
      if (view !== first!.view || seats.size > room) return false
      room -= seats.size
      return true
    })
    waiting = waiting.filter((party) => !parties.includes(party))
    // A job that ends in this turn sends what is still gathering: nobody may join that any more.
    gathering.delete(storageId(first!.view))
    return parties
  }

  async function send(parties: readonly Party[]): Promise<void> {
    const abort = new AbortController()
    const { view } = parties[0]!
    const keys = [...new Set(parties.flatMap(({ seats }) => [...seats.keys()]))]
    jobs.set(abort, parties)
    counts.lookUps++
    counts.lookedUpKeys += keys.length
    try {
      const rows = await options.lookUp(view, keys, abort.signal)
      const found = new Map(keys.map((key, index) => [key, rows[index]!]))
      counts.foundKeys += rows.filter((row) => row !== null).length
      for (const row of rows) if (row !== null) markFromHistory(row)
      for (const party of parties) finish(party, (key) => found.get(key)!)
    } catch (error) {
      const open = parties.filter((party) => !party.isDone)
      if (open.length > 0) failed(view, open, asTwinstoreError(error))
    } finally {
      jobs.delete(abort)
      sendWaiting()
    }
  }

  function timeOut(party: Party, { timeoutMs }: OfflineLookup): void {
    waiting = waiting.filter((other) => other !== party)
    // After a stall the timers come before the end of the turn: whoever joined now would never be told.
    const id = storageId(party.view)
    if (gathering.get(id) === party) gathering.delete(id)
    const problem = `no answer within ${timeoutMs} ms (timeoutMs of the view's offlineLookup)`
    failed(party.view, [party], new TwinstoreError('DEADLINE_EXCEEDED', problem))
    for (const [abort, parties] of jobs) if (parties.every(({ isDone }) => isDone)) abort.abort()
  }

  function failed(view: FeatureView, parties: readonly Party[], error: TwinstoreError): void {
    const keyCount = parties.reduce((sum, { seats }) => sum + seats.size, 0)
    counts.failedKeys += keyCount
    onFault({ kind: 'lookUp', view: view.name, keyCount, error })
    for (const party of parties) finish(party, () => undefined)
  }

  function finish(party: Party, rowOf: (key: RowKey) => Buffer | null | undefined): void {
    if (party.isDone) return
    party.isDone = true
    party.timer?.cancel()
    for (const [key, landed] of party.seats) landed(rowOf(key))
  }

  return {
    concerns: (key) => ruleOf(key) !== undefined,
    take(flight, landed) {
      const { key } = flight
      const rule = ruleOf(key)
      if (rule === undefined) return false
      if (!spend(rule, clock.monotonicMs())) {
        counts.refusedKeys++
        return false
      }
      gather(key, rule, landed)
      return true
    },
  }
}

/** Views keep what is left of their budgets when definitions change. */
function rulesOf({ registry }: Definitions, before: ReadonlyMap<string, Rule>, nowMs: number): Map<string, Rule> {
  const rules = new Map<string, Rule>()
  for (const view of registry.views.values()) {
    if (view.onMiss === undefined) continue
    const { tokens = view.onMiss.budgetPerSecond, filledAtMs = nowMs } = before.get(storageId(view)) ?? {}
    rules.set(storageId(view), { view, lookup: view.onMiss, tokens, filledAtMs })
  }
  return rules
}

function spend(rule: Rule, nowMs: number): boolean {
  const { budgetPerSecond } = rule.lookup
  rule.tokens = Math.min(budgetPerSecond, rule.tokens + ((nowMs - rule.filledAtMs) / 1000) * budgetPerSecond)
  rule.filledAtMs = nowMs
  if (rule.tokens < 1) return false
  rule.tokens--
  return true
}

/** For a store without a history. */
export const NO_LOOK_UPS: LookUps = { concerns: () => false, take: () => false }
