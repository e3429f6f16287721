/**
 * Runs jobs in child processes: a long query never shares the serving event loop, can be killed, and gives its memory
 * back when its process ends. Worker threads were rejected: DuckDB running out of native memory would take the
 * server with it.
 *
 * Short jobs go to one resident child, so that an append does not wait for a process to start (0.1 s); each long
 * job gets a child of its own, which stands back for requests. All are started by a small process (`job-host.ts`), not by the
 * server. Both kinds have a bounded number running and waiting. Look-ups, for which requests wait, go to the resident child
 * beside the short jobs and never behind them.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../lib/clock.ts'
import { createScratchFolder } from '../../lib/scratch-folder.ts'
import type { JobKind, OfflineEngine } from '../engine.ts'
import type { JobSettings } from './job.ts'
import { type JobChild, startJobChild } from './job-child.ts'
import { createJobLane } from './job-lane.ts'
import { type JobModules, openJobProcesses } from './job-processes.ts'

export type ChildLimits = Omit<JobSettings, 'spillDir'>

export interface ProcessEngineSettings extends JobModules {
  /** Where children put their spill folders. */
  readonly spillDir: string
  /** Of each short job (append, restore, history, latest, look-up, checkpoints). */
  readonly shortLimits: ChildLimits
  /** Of each long job (sync, export, training set, sample, compaction). */
  readonly longLimits: ChildLimits
  /** Short jobs at a time, option `offline-short-jobs-max`. */
  readonly shortJobsMax: number
  /** Look-ups at a time, option `look-up-jobs-max`. */
  readonly lookUpJobsMax: number
  /** Long jobs at a time, option `offline-jobs-max`. */
  readonly longJobsMax: number
  /** Jobs of either kind that may wait, option `offline-queue-max`. */
  readonly queueMax: number
  /** By how much long jobs stand back where processor time is short, option `offline-nice`; requests wait for short ones. */
  readonly longJobsNice: number
  /** How long a cancelled job has to stop before its process is killed. */
  readonly cancelGraceMs: number
}

const SHORT_JOBS: ReadonlySet<JobKind> = new Set([
  'append',
  'restore',
  'history',
  'latest',
  'latestOf',
  'checkpointWrite',
  'checkpointRead',
])

export function createProcessEngine(settings: ProcessEngineSettings, clock: Clock): OfflineEngine {
  const waiting = { waitingMax: settings.queueMax, waitingOption: 'offline-queue-max' }
  const short = createJobLane({
    runningMax: settings.shortJobsMax,
    runningOption: 'offline-short-jobs-max',
    ...waiting,
  })
  const lookUps = createJobLane({
    runningMax: settings.lookUpJobsMax,
    runningOption: 'look-up-jobs-max',
    ...waiting,
  })
  const long = createJobLane({ runningMax: settings.longJobsMax, runningOption: 'offline-jobs-max', ...waiting })
  const scratch = createScratchFolder(settings.spillDir)
  const processes = openJobProcesses(settings)
  const longChildren = new Set<JobChild>()
  let resident: JobChild | undefined
  let childCount = 0

  const startChild = (limits: ChildLimits, nice: number): JobChild => {
    // A folder per child, which goes with it: a killed one cannot clean up after itself.
    const spillDir = join(scratch.path, `child-${++childCount}`)
    const child = startJobChild(processes, { ...settings, job: { ...limits, spillDir }, nice }, clock)
    void child.ended.then(() => rm(spillDir, { recursive: true, force: true }))
    return child
  }

  const inOwnChild: OfflineEngine['run'] = async (kind, input, options = {}) => {
    const child = startChild(settings.longLimits, settings.longJobsNice)
    longChildren.add(child)
    try {
      return await child.run(kind, input, options)
    } finally {
      await child.end()
      longChildren.delete(child)
    }
  }

  const inResidentChild: OfflineEngine['run'] = (kind, input, options = {}) => {
    if (!resident?.alive) resident = startChild(settings.shortLimits, 0)
    return resident.run(kind, input, options)
  }

  return {
    run(kind, input, options) {
      if (kind === 'lookUp') return lookUps.run(() => inResidentChild(kind, input, options), options?.signal)
      return SHORT_JOBS.has(kind)
        ? short.run(() => inResidentChild(kind, input, options), options?.signal)
        : long.run(() => inOwnChild(kind, input, options), options?.signal)
    },
    async close() {
      // A short job is nearly done and may hold acknowledged rows; a long one can be asked for again.
      await Promise.all([
        short.close(),
        lookUps.close(),
        long.close(),
        ...[...longChildren].map((child) => child.end()),
      ])
      await resident?.end()
      await processes.close()
      await scratch.remove()
    },
  }
}
