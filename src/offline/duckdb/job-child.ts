/** One child process and the jobs it runs. When it ends, for whatever reason, the jobs still running are rejected. */
import { TwinstoreError } from '../../domain/errors.ts'
import type { Clock } from '../../lib/clock.ts'
import type { JobKind, JobOptions } from '../engine.ts'
import type { Jobs } from '../jobs.ts'
import type { JobSettings } from './job.ts'
import { errorFromData, type FromChild } from './job-messages.ts'
import type { JobProcess, JobProcesses } from './job-processes.ts'

export interface JobChild {
  /** False once the process has ended or is being ended; it takes no more jobs. */
  readonly alive: boolean
  run<K extends JobKind>(kind: K, input: Jobs[K]['input'], options: JobOptions): Promise<Jobs[K]['output']>
  /** Resolves when the process is gone. */
  readonly ended: Promise<void>
  /** Ends the process; resolves when it is gone. */
  end(): Promise<void>
}

export interface ChildSettings {
  readonly job: JobSettings
  /** By how much its threads stand back where processor time is short: 0 not at all, 19 for everything else. */
  readonly nice: number
  /** How long a cancelled job has to stop before its process is killed. */
  readonly cancelGraceMs: number
}

interface Running {
  readonly kind: JobKind
  readonly options: JobOptions
  readonly resolve: (output: Jobs[JobKind]['output']) => void
  readonly reject: (error: TwinstoreError) => void
}

export function startJobChild(processes: JobProcesses, settings: ChildSettings, clock: Clock): JobChild {
  const running = new Map<number, Running>()
  let alive = true
  let lastId = 0
  let end = (): void => {}
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  const child: JobProcess = processes.start(settings.nice, {
    onMessage: (message) => settle(running, message),
    onEnded(why) {
      alive = false
      for (const job of running.values()) job.reject(processDied(job, child, why))
      running.clear()
      end()
    },
  })

  const kill = () => {
    alive = false
    child.kill()
  }

  return {
    ended,
    get alive() {
      return alive
    },
    async run(kind, input, options) {
      const id = ++lastId
      const result = new Promise<Jobs[JobKind]['output']>((resolve, reject) => {
        running.set(id, { kind, options, resolve, reject })
      })
      const undo = cancelOnAbort(options.signal, () => {
        child.send({ type: 'cancel', id })
        return clock.after(settings.cancelGraceMs, kill)
      })
      child.send({ type: 'run', id, kind, input, settings: settings.job })
      return (await result.finally(undo)) as Jobs[typeof kind]['output']
    },
    async end() {
      if (alive) kill()
      await ended
    },
  }
}

function settle(running: Map<number, Running>, message: FromChild): void {
  const job = running.get(message.id)
  if (job === undefined) return
  if (message.type === 'progress') {
    job.options.onProgress?.(message.progress)
    return
  }
  running.delete(message.id)
  if (message.type === 'done') job.resolve(message.output)
  else job.reject(errorFromData(message.error))
}

function cancelOnAbort(signal: AbortSignal | undefined, cancel: () => { cancel(): void }): () => void {
  let grace: { cancel(): void } | undefined
  const onAbort = () => {
    grace = cancel()
  }
  signal?.addEventListener('abort', onAbort, { once: true })
  return () => {
    signal?.removeEventListener('abort', onAbort)
    grace?.cancel()
  }
}

function processDied(job: Running, child: JobProcess, why: string): TwinstoreError {
  if (job.options.signal?.aborted) return new TwinstoreError('CANCELLED', `the ${job.kind} job was cancelled`)
  return new TwinstoreError(
    'UNAVAILABLE',
    `the process (${child.pid}) of the ${job.kind} job ended (${why}) before the job did; try again, and with SIGKILL look for a lack of memory (option offline-memory)`,
  )
}
