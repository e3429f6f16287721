/**
 * What each kind of fault cost the clients, as a Markdown table: the fault table of docs/faults.md.
 *
 * Writes are those that wait for the online store only: one that waits for the offline store takes as long as that is away.
 */
import { groupBy, type History } from './history.ts'
import type { Operation } from './recorder.ts'

/** An answer that takes longer counts as part of the outage: something was tried again, or waited for. */
const SLOW_MS = 1000

export function faultTable(history: History, operations: readonly Operation[]): string {
  const stored = new Set(history.offline.map((row) => row.attempt))
  const lines = [...groupBy(history.faults, (fault) => fault.kind)].map(([kind, faults]) => {
    const during = faults.map((fault) => {
      const sinceMs = Math.max(0, ...history.faults.map(({ endedMs }) => endedMs).filter((ms) => ms < fault.beganMs))
      return operations.filter((each) => each.kind !== 'archive' && each.sentMs > sinceMs && isDuring(each, fault))
    })
    const writes = during.flat().filter((each) => each.kind === 'write')
    const reads = during.flat().filter((each) => each.kind === 'read')
    const recoveredMs = Math.max(...faults.map((fault, i) => lastTroubleMs(during[i]!) - fault.beganMs), 0)
    const lost = history.writes.filter(
      (write) =>
        write.fate === 'acknowledged' && !stored.has(write.attempt) && faults.some((fault) => isDuring(write, fault)),
    )
    return [
      `${kind} (${faults.length}×)`,
      share(refused(writes), writes.length),
      slowest(writes),
      share([...refused(reads), ...degradedSlots(reads)], reads.length),
      slowest(reads),
      recoveredMs === 0 ? 'never out' : `${(recoveredMs / 1000).toFixed(1)} s`,
      String(lost.length),
    ]
  })
  const header = [
    'fault',
    'writes refused',
    'slowest write',
    'reads degraded',
    'slowest read',
    'longest until recovered',
    'rows lost',
  ]
  return [header, header.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function slowest(operations: readonly Operation[]): string {
  const longestMs = operations.reduce((longest, each) => Math.max(longest, each.endedMs - each.sentMs), 0)
  return `${(longestMs / 1000).toFixed(1)} s`
}

interface TimeSpan {
  readonly beganMs: number
  readonly endedMs: number
}

function isDuring(operation: { readonly sentMs: number; readonly endedMs: number }, fault: TimeSpan): boolean {
  return operation.endedMs >= fault.beganMs && operation.sentMs <= fault.endedMs
}

/** When the last answer came that was a failure, degraded or slow; 0 if none was. */
function lastTroubleMs(operations: readonly Operation[]): number {
  return operations.reduce((last, each) => {
    const isTrouble =
      each.code !== 'OK' || each.slotsUnavailable + each.slotsStale > 0 || each.endedMs - each.sentMs > SLOW_MS
    return isTrouble ? Math.max(last, each.endedMs) : last
  }, 0)
}

function refused(operations: readonly Operation[]): string[] {
  const failed = operations.filter((each) => each.code !== 'OK')
  return [...groupBy(failed, (each) => each.code)].map(([code, each]) => `${each.length} ${code}`)
}

function degradedSlots(reads: readonly Operation[]): string[] {
  const unavailable = reads.filter((each) => each.slotsUnavailable > 0).length
  const stale = reads.filter((each) => each.slotsStale > 0).length
  return [
    ...(unavailable > 0 ? [`${unavailable} with UNAVAILABLE slots`] : []),
    ...(stale > 0 ? [`${stale} with stale slots`] : []),
  ]
}

function share(troubles: readonly string[], of: number): string {
  return troubles.length === 0 ? `none of ${of}` : `${troubles.join(', ')}, of ${of}`
}
