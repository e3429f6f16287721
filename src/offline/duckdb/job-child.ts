/** One child process and the jobs it runs. When it ends, for whatever reason, the jobs still running are rejected. */
import { type ChildProcess, fork } from 'node:child_process'
import { setPriority } from 'node:os'
import { TwinstoreError } from '../../domain/errors.ts'
import type { Clock } from '../../lib/clock.ts'
import type { JobKind, JobOptions } from '../engine.ts'
import type { Jobs } from '../jobs.ts'
import type { JobSettings } from './job.ts'
import { errorFromData, type FromChild, type ToChild } from './job-messages.ts'

export interface JobChild {
  readonly pid: number | undefined
  /** False once the process has ended or is being ended; it takes no more jobs. */
  readonly alive: boolean
  run<K extends JobKind>(kind: K, input: Jobs[K]['input'], options: JobOptions): Promise<Jobs[K]['output']>
  /** Resolves when the process is gone. */
  readonly ended: Promise<void>
  /** Ends the process; resolves when it is gone. */
  end(): Promise<void>
}

export interface ChildSettings {
  /** The compiled `job-process.ts`. */
  readonly module: URL
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

export function forkJobChild(settings: ChildSettings, clock: Clock): JobChild {
  // No flags of this process are passed on: they may load what only this process needs.
  const child = fork(settings.module, {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: [],
  })
  if (settings.nice > 0) standBack(child, settings.nice)
  const running = new Map<number, Running>()
  let alive = true
  let lastId = 0

  const ended = new Promise<void>((resolve) => {
    const end = (why: string) => {
      alive = false
      for (const job of running.values()) job.reject(processDied(job, child, why))
      running.clear()
      resolve()
    }
    child.once('exit', (code, signal) => end(signal ?? `exit code ${code}`))
    // Emitted instead of `exit` when the process could not be started; after it, `exit` may not come.
    child.on('error', (error) => child.pid === undefined && end(error.message))
  })
  child.on('message', (message: FromChild) => settle(running, message))

  const kill = () => {
    alive = false
    child.kill('SIGKILL')
  }

  return {
    pid: child.pid,
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
        post(child, { type: 'cancel', id })
        return clock.after(settings.cancelGraceMs, kill)
      })
      post(child, { type: 'run', id, kind, input, settings: settings.job })
      return (await result.finally(undo)) as Jobs[typeof kind]['output']
    },
    async end() {
      if (alive) kill()
      await ended
    },
  }
}

/**
 * Done from here and at once, because Linux has a priority per thread and gives a new thread that of its maker: the child has one
 * thread yet. It has some by the time it could do so itself.
 */
function standBack({ pid }: ChildProcess, nice: number): void {
  try {
    if (pid !== undefined) setPriority(pid, nice)
  } catch {
    // It has ended already, or the system has no priorities; the job is as right without.
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

/** The callback of `send` keeps a closed channel from becoming an error event; `exit` rejects the jobs. */
function post(child: ChildProcess, message: ToChild): void {
  if (child.connected) child.send(message, () => {})
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

function processDied(job: Running, child: ChildProcess, why: string): TwinstoreError {
  if (job.options.signal?.aborted) return new TwinstoreError('CANCELLED', `the ${job.kind} job was cancelled`)
  return new TwinstoreError(
    'UNAVAILABLE',
    `the process (${child.pid}) of the ${job.kind} job ended (${why}) before the job did; try again, and with SIGKILL look for a lack of memory (option offline-memory)`,
  )
}
