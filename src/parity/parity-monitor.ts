/**
 * Comparisons of the twins: on demand, and by themselves a part of the keys at a time, so that after `parts` runs everything
 * has been looked at. What they found is kept in the online store (`parity-note.ts`) for whoever asks.
 */
import type { DefinitionsSource } from '../domain/definitions-source.ts'
import { TwinstoreError } from '../domain/errors.ts'
import { ALL_KEYS, type KeySample } from '../domain/key-sample.ts'
import { viewsNamed } from '../domain/known-names.ts'
import { type FeatureView, onlineViews } from '../domain/registry.ts'
import { viewByView } from '../domain/view-by-view.ts'
import type { Clock } from '../lib/clock.ts'
import type { OnlineStore } from '../online/online-store.ts'
import { compareTwins, type ParityResult } from './compare-twins.ts'
import { lastScheduledMs, noteRun, openFaults, type ParityNote, readNote, roundOf } from './parity-note.ts'
import type { ParityParts } from './parity-parts.ts'
import type { ClassCounts } from './tally.ts'

export type { ParityResult } from './compare-twins.ts'

export interface ParitySettings {
  /** `parity-interval`: between two scheduled runs over a view, milliseconds; 0: none. */
  readonly everyMs: number
  /** `parity-parts`: a scheduled run looks at one of so many parts of the keys. */
  readonly parts: number
  /** `parity-repair` */
  readonly repair: boolean
  /** `parity-findings-max`: faults of a run that are described. */
  readonly findingsMax: number
  /** `parity-faults-max` and `parity-faults-per-million-max`: more than both are a problem. */
  readonly faultsMax: number
  readonly faultsPerMillionMax: number
}

export interface MonitorParts extends ParityParts {
  readonly online: ParityParts['online'] & Pick<OnlineStore, 'readMark' | 'writeMark' | 'claimMark'>
  readonly definitions: DefinitionsSource
  readonly clock: Pick<Clock, 'nowMicros' | 'monotonicMs'>
  readonly settings: ParitySettings
  /** Told of every run that leaves faults beyond the thresholds. */
  readonly onProblem: (problem: string, result: ParityResult) => void
}

export interface ParityRequest {
  /** Undefined: all keys. */
  readonly sample?: KeySample
  readonly repair: boolean
  /** Undefined: as the settings say. */
  readonly findingsMax?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (view: string, progress: { readonly step: string; readonly fraction?: number }) => void
  /** Called as each view is done. */
  readonly onResult?: (result: ParityResult) => void
}

export interface ViewParity {
  readonly view: string
  /** Undefined: not compared yet. */
  readonly note: ParityNote | undefined
  /** What an operator should know; undefined while the faults are within the thresholds. */
  readonly problem: string | undefined
}

export interface ParityNumbers {
  readonly view: string
  /** Of the newest comparison, by class; undefined: the view was never compared. */
  readonly counts: ClassCounts | undefined
  readonly repaired: number
  readonly endedMs: number
  readonly seconds: number
  /** Over all parts of the keys that were looked at. */
  readonly openFaults: number
}

/** What `upkeep/schedule.ts` runs. */
export interface ParityTask {
  readonly name: string
  readonly view: string
  readonly everyMs: number
  /** Of a view that no run was scheduled for yet, when it was first asked. */
  lastRunMs(): Promise<number>
  run(signal: AbortSignal): Promise<void>
}

export interface ParityMonitor {
  /**
   * Compares the named views, or all that are kept online, one after the other. Refused before anything is done: NOT_FOUND (an
   * unknown view), FAILED_PRECONDITION (a view that is not kept online), INVALID_ARGUMENT (a part that does not exist),
   * ABORTED (another one that was asked for is running here). A view that fails does not stop the others; the rejection at the
   * end names each with its fault.
   */
  compare(views: readonly string[] | 'all', request: ParityRequest): Promise<readonly ParityResult[]>
  /** Of every view that is kept online, by whichever instance it was compared. */
  status(): Promise<readonly ViewParity[]>
  /** The same in numbers, for metrics. */
  numbers(): Promise<readonly ParityNumbers[]>
  /** One per view that is kept online; none if the interval is 0. */
  tasks(): readonly ParityTask[]
}

export function createParityMonitor(parts: MonitorParts): ParityMonitor {
  const { online, definitions, clock, settings } = parts
  const running = new Set<string>()
  let isAsked = false
  const comparedViews = (): readonly FeatureView[] => onlineViews(definitions.current.registry)

  async function compareView(view: FeatureView, request: ParityRequest, isScheduled: boolean): Promise<ParityResult> {
    const { signal, onProgress } = request
    running.add(view.name)
    try {
      const result = await compareTwins(parts, view, {
        sample: request.sample ?? ALL_KEYS,
        repair: request.repair,
        findingsMax: request.findingsMax ?? settings.findingsMax,
        ...(signal === undefined ? {} : { signal }),
        ...(onProgress === undefined ? {} : { onProgress: (progress) => onProgress(view.name, progress) }),
      })
      const endedMs = Math.floor(clock.nowMicros() / 1000)
      const note = await noteRun(online, view, result, { endedMs, isScheduled, parts: settings.parts })
      const problem = problemOf(view, note, settings)
      if (problem !== undefined && result.faults > result.repaired) parts.onProblem(problem, result)
      return result
    } finally {
      running.delete(view.name)
    }
  }

  function compareEach(views: readonly FeatureView[], request: ParityRequest): Promise<readonly ParityResult[]> {
    return viewByView('the comparison', views, async (view) => {
      const result = await compareView(view, request, false)
      request.onResult?.(result)
      return result
    })
  }

  async function runNextPart(view: FeatureView, signal: AbortSignal): Promise<void> {
    // Somebody asked for one just now; the next run is due after the interval all the same.
    if (running.has(view.name)) return
    const { parts: count, next } = roundOf(await readNote(online, view), settings.parts)
    await compareView(view, { sample: { parts: count, part: next }, repair: settings.repair, signal }, true)
  }

  return {
    async compare(names, request) {
      const views = names === 'all' ? comparedViews() : viewsNamed(definitions.current.registry, names)
      refuseOffline(views)
      refuseBadSample(request.sample)
      if (isAsked) throw alreadyRunning()
      isAsked = true
      try {
        return await compareEach(views, request)
      } finally {
        isAsked = false
      }
    },

    status: () =>
      Promise.all(
        comparedViews().map(async (view) => {
          const note = await readNote(online, view)
          return { view: view.name, note, problem: note === undefined ? undefined : problemOf(view, note, settings) }
        }),
      ),

    numbers: () =>
      Promise.all(
        comparedViews().map(async (view) => {
          const note = await readNote(online, view)
          const { counts, repaired = 0, endedMs = 0, seconds = 0 } = note?.last ?? {}
          const open = note === undefined ? 0 : openFaults(note).faults
          return { view: view.name, counts, repaired, endedMs, seconds, openFaults: open }
        }),
      ),

    tasks() {
      if (settings.everyMs === 0) return []
      return comparedViews().map((view) => ({
        name: `parity ${view.name}`,
        view: view.name,
        everyMs: settings.everyMs,
        lastRunMs: () => lastScheduledMs(online, view, Math.floor(clock.nowMicros() / 1000)),
        run: (signal) => runNextPart(view, signal),
      }))
    },
  }
}

function problemOf(view: FeatureView, note: ParityNote, settings: ParitySettings): string | undefined {
  const { faults, keys } = openFaults(note)
  const tolerated = Math.max(settings.faultsMax, (keys * settings.faultsPerMillionMax) / 1_000_000)
  if (faults <= tolerated) return undefined
  return `the twins of ${view.name} differ in ${faults} of the ${keys} keys looked at: see twinstore parity ${view.name}, and mend them with --repair`
}

function refuseOffline(views: readonly FeatureView[]): void {
  const offline = views.find((view) => !view.online)
  if (offline === undefined) return
  const problem = `view ${offline.name} is declared with online: false; there is nothing online to compare its history with`
  throw new TwinstoreError('FAILED_PRECONDITION', problem)
}

function refuseBadSample(sample: KeySample | undefined): void {
  if (sample === undefined) return
  const { parts, part } = sample
  const isSound = Number.isInteger(parts) && Number.isInteger(part) && parts >= 1 && part >= 0 && part < parts
  if (isSound) return
  throw new TwinstoreError(
    'INVALID_ARGUMENT',
    `there is no part ${part} of ${parts}: parts count from 0, and there is at least one`,
  )
}

/** Each holds the keys of a sample in memory. */
function alreadyRunning(): TwinstoreError {
  return new TwinstoreError('ABORTED', 'another comparison that was asked for is running here; wait for it to end')
}
