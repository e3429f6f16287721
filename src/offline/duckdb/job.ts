import type { JobKind } from '../engine.ts'
import type { Jobs } from '../jobs.ts'
import type { EngineLimits } from '../table-jobs.ts'
import type { Session } from './session.ts'

/** What jobs are bounded by; plain data, because it goes to child processes. */
export interface JobSettings extends EngineLimits {
  /** Most values of a training set that are joined and sorted at a time (option `training-slice-values-max`). */
  readonly sliceValuesMax: number
}

/** What a running job is given besides its input. */
export interface JobContext {
  /** Aborts when the job is cancelled; the session's statements are interrupted by themselves. */
  readonly signal: AbortSignal
  /** Says what the job is doing, and how far it is from 0 to 1 where it can tell. */
  progress(step: string, fraction?: number): void
}

/** One job: it has the session to itself, and leaves nothing behind but its output files. */
export type Job<K extends JobKind> = (
  session: Session,
  input: Jobs[K]['input'],
  context: JobContext,
) => Promise<Jobs[K]['output']>
