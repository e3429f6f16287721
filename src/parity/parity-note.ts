/**
 * What is remembered of the comparisons of a view: a note in the online store, so that every instance can say how the twins
 * are, the next one goes on with the next part of the sample, and a store that was lost takes its note with it.
 *
 * A *round* goes over all parts of the sample, one a run. A fault that one run found is still there when the next one has
 * looked at another part; so the round keeps what the last run over each part left.
 */
import type { KeySample } from '../domain/key-sample.ts'
import { type FeatureView, storageId } from '../domain/registry.ts'
import type { OnlineStore } from '../online/online-store.ts'
import type { ParityResult } from './compare-twins.ts'
import type { ClassCounts } from './tally.ts'

export interface ParityRun {
  /** Wall time of its end, milliseconds. */
  readonly endedMs: number
  readonly sample: KeySample
  readonly keys: number
  readonly counts: ClassCounts
  readonly repaired: number
  readonly seconds: number
}

export interface ParityRound {
  readonly parts: number
  /** The part that the next scheduled run looks at. */
  readonly next: number
  /** When the last scheduled run ended, wall milliseconds; 0 if there was none. */
  readonly endedMs: number
  /** Faults that the last run over each part left unrepaired; null: not looked at yet. */
  readonly faults: readonly (number | null)[]
  /** Keys that the last run over each part looked at. */
  readonly keys: readonly number[]
}

export interface ParityNote {
  readonly last: ParityRun
  readonly round: ParityRound
}

type Marks = Pick<OnlineStore, 'readMark' | 'writeMark'>

export async function readNote(online: Pick<Marks, 'readMark'>, view: FeatureView): Promise<ParityNote | undefined> {
  const text = await online.readMark(markOf(view))
  return text === undefined ? undefined : (JSON.parse(text) as ParityNote)
}

/**
 * When the last scheduled run ended, wall milliseconds. Before the first one, when this was first asked, by whichever instance: a
 * server that has just started has other things to do, and one that is restarted often gets there all the same.
 */
export async function lastScheduledMs(
  online: Pick<OnlineStore, 'readMark' | 'claimMark'>,
  view: FeatureView,
  nowMs: number,
): Promise<number> {
  const endedMs = (await readNote(online, view))?.round.endedMs ?? 0
  return endedMs > 0 ? endedMs : Number(await online.claimMark(`parity-since/${storageId(view)}`, String(nowMs)))
}

/** Of two runs that end at the same time one is not noted: the next over that part is. */
export async function noteRun(
  online: Marks,
  view: FeatureView,
  result: ParityResult,
  run: { readonly endedMs: number; readonly isScheduled: boolean; readonly parts: number },
): Promise<ParityNote> {
  const note = { last: runOf(result, run.endedMs), round: roundAfter(await readNote(online, view), result, run) }
  await online.writeMark(markOf(view), JSON.stringify(note))
  return note
}

/** The round as it is, or a new one if there is none with so many parts. */
export function roundOf(note: ParityNote | undefined, parts: number): ParityRound {
  if (note?.round.parts === parts) return note.round
  const ended = note?.round.endedMs ?? 0
  return { parts, next: 0, endedMs: ended, faults: new Array(parts).fill(null), keys: new Array(parts).fill(0) }
}

/** Faults that are known of and not repaired, and of how many keys. */
export function openFaults({ round }: ParityNote): { readonly faults: number; readonly keys: number } {
  const sum = (numbers: readonly (number | null)[]): number => numbers.reduce<number>((all, one) => all + (one ?? 0), 0)
  return { faults: sum(round.faults), keys: sum(round.keys) }
}

function roundAfter(
  before: ParityNote | undefined,
  { sample, keys, faults, repaired }: ParityResult,
  { endedMs, isScheduled, parts }: { readonly endedMs: number; readonly isScheduled: boolean; readonly parts: number },
): ParityRound {
  const round = roundOf(before, parts)
  const left = faults - repaired
  const told = { ...round, faults: [...round.faults], keys: [...round.keys] }
  if (sample.parts === 1) {
    // All keys were looked at; in which part each fault is nobody asks.
    told.faults = [left, ...new Array<number>(parts - 1).fill(0)]
    told.keys = [keys, ...new Array<number>(parts - 1).fill(0)]
  } else if (sample.parts === parts) {
    told.faults[sample.part] = left
    told.keys[sample.part] = keys
  }
  return isScheduled ? { ...told, next: (sample.part + 1) % parts, endedMs } : told
}

function runOf({ sample, keys, counts, repaired, seconds }: ParityResult, endedMs: number): ParityRun {
  return { endedMs, sample, keys, counts, repaired, seconds }
}

function markOf(view: FeatureView): string {
  return `parity/${storageId(view)}`
}
