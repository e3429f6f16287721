/** Runs a bounded number of tasks at a time and lets a bounded number wait, first come first served. */
import { TwinstoreError } from '../../domain/errors.ts'

export interface LaneLimits {
  /** The tasks that run at the same time, and the option that says so. */
  readonly runningMax: number
  readonly runningOption: string
  /** The tasks that may wait beyond them, and the option that says so. */
  readonly waitingMax: number
  readonly waitingOption: string
}

export interface JobLane {
  /** RESOURCE_EXHAUSTED when too many wait; CANCELLED when the signal aborts while it waits. */
  run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T>
  /** Rejects the waiting tasks and all later ones; resolves when the running ones have ended. */
  close(): Promise<void>
}

export function createJobLane(limits: LaneLimits): JobLane {
  const waiting = new Set<{ readonly start: () => void; readonly refuse: (error: TwinstoreError) => void }>()
  const running = new Set<Promise<unknown>>()
  let closed = false

  const turn = (signal: AbortSignal | undefined) =>
    new Promise<void>((resolve, reject) => {
      const entry = {
        start: () => leave(resolve),
        refuse: (error: TwinstoreError) => leave(() => reject(error)),
      }
      const leave = (then: () => void) => {
        waiting.delete(entry)
        signal?.removeEventListener('abort', onAbort)
        then()
      }
      const onAbort = () => entry.refuse(new TwinstoreError('CANCELLED', 'the work was cancelled while it waited'))
      signal?.addEventListener('abort', onAbort, { once: true })
      waiting.add(entry)
    })

  let granted = 0
  const grant = () => {
    for (const entry of waiting) {
      if (granted >= limits.runningMax) return
      granted++
      entry.start()
    }
  }

  return {
    async run(task, signal) {
      if (closed) throw closedError()
      if (signal?.aborted) throw new TwinstoreError('CANCELLED', 'the work was cancelled')
      if (granted >= limits.runningMax && waiting.size >= limits.waitingMax) throw fullError(limits)
      const admitted = turn(signal)
      grant()
      await admitted
      const result = task()
      running.add(result)
      try {
        return await result
      } finally {
        running.delete(result)
        granted--
        grant()
      }
    },
    async close() {
      closed = true
      for (const entry of [...waiting]) entry.refuse(closedError())
      await Promise.allSettled(running)
    },
  }
}

function closedError(): TwinstoreError {
  return new TwinstoreError('UNAVAILABLE', 'the offline engine is closing')
}

function fullError(limits: LaneLimits): TwinstoreError {
  return new TwinstoreError(
    'RESOURCE_EXHAUSTED',
    `${limits.runningMax} offline jobs run (option ${limits.runningOption}) and ${limits.waitingMax} wait (option ${limits.waitingOption}); try again later`,
  )
}
