/**
 * Work on views that repeats: syncs, compactions, comparisons of the twins, statistics.
 *
 * Of several instances on the same stores one runs the tasks of a view, the one for which `isMine` holds: whoever archives
 * the view's home shard (`home-shard.ts`), whose claim is taken over within seconds when an instance dies. As with
 * archiving, that only saves work. Two instances may run a task at the same time around a takeover, so a task must bear it.
 *
 * A task is due one interval after its last run by whichever instance: that is asked when the view becomes this
 * instance's, so that neither restarts nor takeovers run it early or forget it (a sync asks after each run too). One that failed is tried again with growing
 * delays, but not less often than its interval says.
 *
 * Tasks are looked at every `lookEveryMs` rather than woken by a timer each: whose a view is changes without notice, and a
 * timer of Node cannot wait longer than 24 days. Bound: `runningMax` tasks at a time; the others wait, the longest due first.
 */
import { asTwinstoreError, type TwinstoreError } from '../domain/errors.ts'
import { type BackoffLimits, backoffMs } from '../lib/backoff.ts'
import type { Clock } from '../lib/clock.ts'

export interface ScheduledTask {
  /** What is done to which view: `sync airport_daily`. */
  readonly name: string
  /** The view whose home shard decides which instance runs it. */
  readonly view: string
  /** From the end of one run to the beginning of the next, milliseconds; or from `lastRunMs`, with `countsFromRecord`. */
  readonly everyMs: number
  /** After a run, too, the next is due one interval after what `lastRunMs` says: the runs of others and by hand count. */
  readonly countsFromRecord?: boolean
  /** Wall time of the last run by whichever instance, milliseconds; undefined if there was none or nobody recorded it. */
  lastRunMs?(): Promise<number | undefined>
  run(signal: AbortSignal): Promise<void>
}

export interface TaskStatus {
  readonly name: string
  readonly view: string
  readonly everyMs: number
  readonly isRunning: boolean
  /** Whether this instance runs it; what follows is known only if it does. */
  readonly isMine: boolean
  /** Wall time of the last run that succeeded, milliseconds. */
  readonly lastRunMs: number | undefined
  /** Wall time at which it is to run next, milliseconds. */
  readonly dueMs: number | undefined
  /** Runs that failed since one succeeded, and how the last one did. */
  readonly failures: number
  readonly error: string | undefined
}

export interface ScheduleParts {
  readonly tasks: readonly ScheduledTask[]
  readonly clock: Clock
  /** A number from 0 to 1, for jitter. */
  readonly random: () => number
  /** Whether this instance runs the tasks of the view. */
  readonly isMine: (view: string) => boolean
  /** Tasks that run at the same time (option `schedule-running-max`). */
  readonly runningMax: number
  /** How often it is looked whether a task is due, milliseconds (option `schedule-look-interval`). */
  readonly lookEveryMs: number
  /** Delays after a failure (options `schedule-retry-min`, `schedule-retry-max`). */
  readonly retry: BackoffLimits
  /** Told of every run that failed. */
  readonly onFault: (task: ScheduledTask, fault: TwinstoreError) => void
}

export interface Schedule {
  start(): void
  status(): readonly TaskStatus[]
  /** Begins no more runs and aborts those under way; resolves when they have ended. */
  stop(): Promise<void>
}

interface Entry {
  readonly task: ScheduledTask
  /** Undefined while the view is not this instance's, or until it is known when the task ran last. */
  dueMs: number | undefined
  lastRunMs: number | undefined
  failures: number
  error: string | undefined
  /** Running, or asking when it ran last. */
  isBusy: boolean
  isRunning: boolean
}

export function createSchedule(parts: ScheduleParts): Schedule {
  const { clock, isMine } = parts
  const nowMs = (): number => clock.nowMicros() / 1000
  const entries = parts.tasks.map(
    (task): Entry => ({
      task,
      dueMs: undefined,
      lastRunMs: undefined,
      failures: 0,
      error: undefined,
      isBusy: false,
      isRunning: false,
    }),
  )
  const abort = new AbortController()
  const underWay = new Set<Promise<void>>()
  let timer: { cancel(): void } | undefined

  function look(): void {
    timer?.cancel()
    if (abort.signal.aborted) return
    for (const entry of entries) {
      if (entry.isBusy) continue
      if (!isMine(entry.task.view)) forget(entry)
      else if (entry.dueMs === undefined) occupy(entry, askLastRun)
    }
    runDue()
    timer = clock.after(parts.lookEveryMs, look)
  }

  function runDue(): void {
    const now = nowMs()
    const due = entries.filter((entry) => !entry.isBusy && entry.dueMs !== undefined && entry.dueMs <= now)
    due.sort((a, b) => a.dueMs! - b.dueMs!)
    const places = parts.runningMax - entries.filter((entry) => entry.isRunning).length
    for (const entry of due.slice(0, Math.max(0, places))) occupy(entry, runTask)
  }

  /** What another instance does to the view from now on is not known here. */
  function forget(entry: Entry): void {
    entry.dueMs = undefined
    entry.failures = 0
    entry.error = undefined
  }

  function occupy(entry: Entry, work: (entry: Entry) => Promise<void>): void {
    entry.isBusy = true
    const done = work(entry).finally(() => {
      entry.isBusy = false
      underWay.delete(done)
      if (!abort.signal.aborted) runDue()
    })
    underWay.add(done)
  }

  async function askLastRun(entry: Entry): Promise<void> {
    const { task } = entry
    try {
      entry.lastRunMs = (await task.lastRunMs?.()) ?? undefined
      entry.dueMs = entry.lastRunMs === undefined ? nowMs() : entry.lastRunMs + task.everyMs
    } catch (error) {
      failed(entry, asTwinstoreError(error))
    }
  }

  async function runTask(entry: Entry): Promise<void> {
    entry.isRunning = true
    try {
      await entry.task.run(abort.signal)
      entry.failures = 0
      entry.error = undefined
      entry.lastRunMs = (entry.task.countsFromRecord && (await entry.task.lastRunMs?.())) || nowMs()
      entry.dueMs = entry.lastRunMs + entry.task.everyMs
    } catch (error) {
      if (!abort.signal.aborted) failed(entry, asTwinstoreError(error))
    } finally {
      entry.isRunning = false
    }
  }

  function failed(entry: Entry, fault: TwinstoreError): void {
    entry.failures++
    entry.error = fault.message
    const delayMs = backoffMs(entry.failures, parts.retry, parts.random())
    entry.dueMs = nowMs() + Math.min(delayMs, entry.task.everyMs)
    parts.onFault(entry.task, fault)
  }

  return {
    start: look,
    status: () =>
      entries.map(({ task, isRunning, lastRunMs, dueMs, failures, error }) => ({
        name: task.name,
        view: task.view,
        everyMs: task.everyMs,
        isRunning,
        isMine: isMine(task.view),
        lastRunMs,
        dueMs,
        failures,
        error,
      })),
    async stop() {
      abort.abort()
      timer?.cancel()
      await Promise.all(underWay)
    },
  }
}
