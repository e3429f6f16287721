/**
 * Log lines that clients can cause as often as they like: of each reason at most `linesMax` in `intervalMs`, and at the end of it one
 * that says how many more there were. Otherwise who reconnects for long enough fills a disk.
 *
 * Reasons are few by themselves; should they not be, those after `REASONS_MAX` share one.
 */
import type { Clock } from '../lib/clock.ts'

export interface RepeatLimits {
  readonly linesMax: number
  readonly intervalMs: number
}

/** Calls `write` unless there were enough lines of this reason. */
export type WriteLine = (reason: string, write: () => void) => void

const REASONS_MAX = 100
const OTHERS = 'others'

export function repeatedLines(
  clock: Pick<Clock, 'after'>,
  { linesMax, intervalMs }: RepeatLimits,
  summarize: (reason: string, leftOut: number) => void,
): WriteLine {
  /** Of the interval that a reason's first line began. */
  const lines = new Map<string, number>()
  return (of, write) => {
    const reason = lines.has(of) || lines.size < REASONS_MAX ? of : OTHERS
    const before = lines.get(reason)
    lines.set(reason, (before ?? 0) + 1)
    if (before === undefined) {
      clock.after(intervalMs, () => {
        const leftOut = (lines.get(reason) ?? 0) - linesMax
        lines.delete(reason)
        if (leftOut > 0) summarize(reason, leftOut)
      })
    }
    if ((before ?? 0) < linesMax) write()
  }
}
