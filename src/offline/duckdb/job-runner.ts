/** Runs jobs in this process: what a child process does for the server, and what tests do directly. */
import { loadComputes } from '../../definitions/load/evaluate.ts'
import { TwinstoreError } from '../../domain/errors.ts'
import type { Clock } from '../../lib/clock.ts'
import type { JobKind, JobOptions, OfflineEngine } from '../engine.ts'
import type { Jobs } from '../jobs.ts'
import { runAppend } from './append-job.ts'
import { runCheckpointRead, runCheckpointWrite } from './checkpoint-jobs.ts'
import { runCompact } from './compact-job.ts'
import { runExport } from './export-job.ts'
import { runHistory } from './history-job.ts'
import type { Job, JobSettings } from './job.ts'
import { runKept } from './kept-job.ts'
import { runLatest } from './latest-job.ts'
import { runLatestOf, runLatestSample } from './latest-selection-jobs.ts'
import { runLookUp } from './look-up-job.ts'
import { runRestore } from './restore-job.ts'
import { openSession } from './session.ts'
import { runSpineRange } from './spine-range-job.ts'
import { runStatistics } from './statistics-job.ts'
import { runSync } from './sync-job.ts'
import { createTrainingSetJob } from './training-set-job.ts'

type JobTable = { readonly [K in JobKind]: Job<K> }

function jobTable({ sliceValuesMax }: JobSettings): JobTable {
  return {
    append: runAppend,
    sync: runSync,
    latest: runLatest,
    latestOf: runLatestOf,
    latestSample: runLatestSample,
    kept: runKept,
    lookUp: runLookUp,
    restore: runRestore,
    history: runHistory,
    export: runExport,
    spineRange: runSpineRange,
    trainingSet: createTrainingSetJob({ loadComputes, sliceValuesMax }),
    compact: runCompact,
    statistics: runStatistics,
    checkpointWrite: runCheckpointWrite,
    checkpointRead: runCheckpointRead,
  }
}

export async function runJob<K extends JobKind>(
  kind: K,
  input: Jobs[K]['input'],
  settings: JobSettings,
  clock: Clock,
  options: JobOptions = {},
): Promise<Jobs[K]['output']> {
  const signal = options.signal ?? new AbortController().signal
  if (signal.aborted) throw new TwinstoreError('CANCELLED', 'the work was cancelled')
  const session = await openSession(settings, clock, signal)
  try {
    return await jobTable(settings)[kind](session, input, {
      signal,
      progress: (step, fraction) => options.onProgress?.(fraction === undefined ? { step } : { step, fraction }),
    })
  } finally {
    await session.close()
  }
}

/** Every job begins at once, with the memory of `settings` to itself: for callers that ask for one at a time. */
export function createInlineEngine(settings: JobSettings, clock: Clock): OfflineEngine {
  return {
    run: (kind, input, options) => runJob(kind, input, settings, clock, options),
    close: async () => {},
  }
}
