/** Runs jobs in this process: what a child process does for the server, and what one-shot commands and tests do directly. */
import { TwinstoreError } from '../../domain/errors.ts'
import type { Clock } from '../../lib/clock.ts'
import type { JobKind, JobOptions, OfflineEngine } from '../engine.ts'
import type { Jobs } from '../jobs.ts'
import type { EngineLimits } from '../table-jobs.ts'
import { runAppend } from './append-job.ts'
import { runHistory } from './history-job.ts'
import type { Job } from './job.ts'
import { runLatest } from './latest-job.ts'
import { openSession } from './session.ts'
import { runSync } from './sync-job.ts'

const JOBS: { readonly [K in JobKind]?: Job<K> } = {
  append: runAppend,
  sync: runSync,
  latest: runLatest,
  history: runHistory,
}

export async function runJob<K extends JobKind>(
  kind: K,
  input: Jobs[K]['input'],
  limits: EngineLimits,
  clock: Clock,
  options: JobOptions = {},
): Promise<Jobs[K]['output']> {
  const signal = options.signal ?? new AbortController().signal
  if (signal.aborted) throw new TwinstoreError('CANCELLED', 'the work was cancelled')
  const session = await openSession(limits, clock, signal)
  try {
    return await JOBS[kind]!(session, input, {
      signal,
      progress: (step, fraction) => options.onProgress?.(fraction === undefined ? { step } : { step, fraction }),
    })
  } finally {
    await session.close()
  }
}

/** Every job begins at once, with `limits` to itself: for callers that ask for one at a time. */
export function createInlineEngine(limits: EngineLimits, clock: Clock): OfflineEngine {
  return {
    run: (kind, input, options) => runJob(kind, input, limits, clock, options),
    close: async () => {},
  }
}
