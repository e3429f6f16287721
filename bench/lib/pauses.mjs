/** What `pauses-preload.mjs` has written of a process: its pauses within a stretch of time as a table, and its memory over time. */
import { readFileSync } from 'node:fs'

const LATE_PERCENTILES = { p50_ms: 50, p99_ms: 99, p999_ms: 99.9, max_ms: 100 }

/** `file` as it was given to `startTwinstore`, `pid` the process's. */
export function readPauses(file, pid) {
  const lines = readFileSync(`${file}.${pid}`, 'utf8').split('\n')
  // The last one is empty, or half written.
  return lines.slice(0, -1).map((line) => JSON.parse(line))
}

/** Collections by kind, those that were asked for left out: count, percentiles and total in milliseconds, and share of the time. */
export function collectionsIn(records, fromMs, untilMs) {
  const byKind = new Map()
  for (const { at, gc, ms, forced } of records) {
    if (gc === undefined || forced || at < fromMs || at >= untilMs) continue
    if (!byKind.has(gc)) byKind.set(gc, [])
    byKind.get(gc).push(ms)
  }
  return new Map([...byKind].map(([kind, list]) => [kind, summary(list, untilMs - fromMs)]))
}

function summary(list, spanMs) {
  const sorted = list.toSorted((a, b) => a - b)
  const totalMs = list.reduce((sum, ms) => sum + ms, 0)
  return {
    count: list.length,
    p50_ms: atPercentile(sorted, 50),
    p99_ms: atPercentile(sorted, 99),
    max_ms: sorted.at(-1),
    total_ms: totalMs,
    share_percent: (totalMs / spanMs) * 100,
  }
}

/** By how much the event loop is late for what comes in at any time, milliseconds; below a millisecond it counts as 0. */
export function loopDelaysIn(records, fromMs, untilMs) {
  const seconds = records.filter(({ at, ticks }) => ticks !== undefined && at >= fromMs && at < untilMs)
  const looks = seconds.reduce((sum, { ticks }) => sum + ticks, 0)
  const late = seconds.flatMap(({ late }) => late).sort((a, b) => a - b)
  const onTime = looks - late.length
  const at = (percentile) => {
    const index = Math.ceil((percentile * looks) / 100) - 1
    return index < onTime ? 0 : late[index - onTime]
  }
  const percentiles = Object.entries(LATE_PERCENTILES).map(([name, percentile]) => [name, at(percentile)])
  return { count: looks, ...Object.fromEntries(percentiles) }
}

/** Samples of the memory, bytes: as it was every second, or (`alive`) after collections that were asked for. */
export function memoryIn(records, fromMs, untilMs, alive) {
  return records.filter(
    (record) => record.rss !== undefined && record.alive === alive && record.at >= fromMs && record.at < untilMs,
  )
}

function atPercentile(sorted, percentile) {
  return sorted[Math.ceil((percentile * sorted.length) / 100) - 1]
}
