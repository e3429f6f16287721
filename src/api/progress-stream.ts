/**
 * The progress of one piece of work as a stream that ends with the work's result.
 *
 * Progress is conflated: only the newest report waits, and at most one leaves per interval, however often the work
 * reports and however slowly the reader takes them.
 */
import type { Clock } from '../lib/clock.ts'

export interface ProgressPace {
  readonly clock: Clock
  readonly progressIntervalMs: number
}

/**
 * Starts the work and yields its progress. A reader that leaves before the end must also abort the work, whose result, if
 * one comes all the same, goes to `abandon`.
 */
export async function* progressOf<P, R>(
  work: (onProgress: (progress: P) => void) => Promise<R>,
  abandon: (result: R) => unknown,
  pace: ProgressPace,
): AsyncGenerator<P, R> {
  let newest: { readonly progress: P } | undefined
  let wake = (): void => undefined
  let settled = false
  let delivered = false
  const result = work((progress) => {
    newest = { progress }
    wake()
  })
  const finished = result.then(
    () => undefined,
    () => undefined,
  )
  void finished.then(() => {
    settled = true
    wake()
  })
  try {
    while (!settled) {
      const report = newest
      newest = undefined
      if (report === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
        continue
      }
      yield report.progress
      await Promise.race([finished, elapsed(pace)])
    }
    const value = await result
    delivered = true
    return value
  } finally {
    if (!delivered) result.then(abandon).catch(() => undefined)
  }
}

function elapsed(pace: ProgressPace): Promise<void> {
  return new Promise((resolve) => {
    pace.clock.after(pace.progressIntervalMs, resolve)
  })
}
