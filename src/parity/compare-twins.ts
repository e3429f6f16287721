/** Compares the two stores over a sample of a view's keys, and repairs what differs if asked to. */
import type { RowKey } from '../domain/entity-key.ts'
import { TwinstoreError } from '../domain/errors.ts'
import type { KeySample } from '../domain/key-sample.ts'
import type { FeatureView } from '../domain/registry.ts'
import { lookAtSample } from './first-look.ts'
import type { ParityParts } from './parity-parts.ts'
import { type FaultyKey, repair } from './repair.ts'
import { lookAgain, type SettledVerdict } from './second-look.ts'
import { type ClassCounts, FAULT_CLASSES, type Finding, type RepairOutcome, Tally } from './tally.ts'
import type { TwinFault } from './verdict.ts'

export interface CompareRequest {
  readonly sample: KeySample
  readonly repair: boolean
  /** Faults that are described; all are counted. */
  readonly findingsMax: number
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: { readonly step: string; readonly fraction?: number }) => void
}

export interface ParityResult {
  readonly view: string
  /** Names of the join keys in canonical order, as entities of findings are. */
  readonly joinKeys: readonly string[]
  readonly sample: KeySample
  /** Of the history that the sample was compared with. */
  readonly tableVersion: number
  readonly keys: number
  readonly counts: ClassCounts
  /** Keys that did not agree at first sight and were looked at again. */
  readonly suspects: number
  readonly faults: number
  /** Faults that are mended. */
  readonly repaired: number
  /** The first of the faults. */
  readonly findings: readonly Finding[]
  /** Why some keys were not checked. */
  readonly problems: readonly string[]
  readonly seconds: number
}

export async function compareTwins(
  parts: ParityParts,
  view: FeatureView,
  request: CompareRequest,
): Promise<ParityResult> {
  const { clock, limits } = parts
  const startedMs = clock.monotonicMs()
  const { sample, signal } = request
  const tally = new Tally(request.findingsMax)
  const onProgress = (step: string, fraction?: number): void =>
    request.onProgress?.(fraction === undefined ? { step } : { step, fraction })

  const { tableVersion, suspects } = await lookAtSample(parts, view, tally, { sample, signal, onProgress })
  const looked = suspects.slice(0, limits.suspectsMax)
  for (let from = 0; from < looked.length; from += limits.batchKeys) {
    refuseAborted(signal, view)
    onProgress('looking again at what differs', from / looked.length)
    const verdicts = await lookAgain(parts, view, looked.slice(from, from + limits.batchKeys), signal)
    const faulty = countSound(tally, verdicts)
    const outcomes = await repairWithin(parts, view, faulty, request.repair ? limits.repairsMax - tally.repaired : 0)
    for (const [index, [key, fault]] of faulty.entries()) {
      tally.fault(view, key, fault, outcomes[index] ?? (request.repair ? tooMany(limits.repairsMax) : { kind: 'none' }))
    }
  }
  if (suspects.length > looked.length) {
    const reason = `more than ${limits.suspectsMax} keys differ (option parity-suspects-max); the rest was not looked at again`
    tally.unchecked(reason, suspects.length - looked.length)
  }
  return {
    view: view.name,
    joinKeys: view.joinKeys.map(({ name }) => name),
    sample,
    tableVersion,
    keys: tally.keys,
    counts: tally.counts,
    suspects: suspects.length,
    faults: tally.faults,
    repaired: tally.repaired,
    findings: tally.findings,
    problems: [...tally.problems],
    seconds: (clock.monotonicMs() - startedMs) / 1000,
  }
}

/** Counts the keys that are not at fault; returns the others. */
function countSound(tally: Tally, verdicts: ReadonlyMap<RowKey, SettledVerdict>): readonly FaultyKey[] {
  const faulty: FaultyKey[] = []
  for (const [key, verdict] of verdicts) {
    if (isFault(verdict)) faulty.push([key, verdict])
    else if (verdict.kind === 'unchecked') tally.unchecked(verdict.error.message)
    else if (verdict.kind !== 'absent') tally.count(verdict.kind)
  }
  return faulty
}

function isFault(verdict: SettledVerdict): verdict is TwinFault {
  return (FAULT_CLASSES as readonly string[]).includes(verdict.kind)
}

async function repairWithin(
  parts: ParityParts,
  view: FeatureView,
  faulty: readonly FaultyKey[],
  rowsMax: number,
): Promise<readonly RepairOutcome[]> {
  const chosen = faulty.slice(0, Math.max(0, rowsMax))
  return chosen.length === 0 ? [] : await repair(parts, view, chosen)
}

function tooMany(repairsMax: number): RepairOutcome {
  const reason = `a run repairs ${repairsMax} rows at most (option parity-repairs-max): run it again`
  return { kind: 'failed', reason }
}

function refuseAborted(signal: AbortSignal | undefined, view: FeatureView): void {
  if (signal?.aborted) throw new TwinstoreError('CANCELLED', `the comparison of ${view.name} was cancelled`)
}
