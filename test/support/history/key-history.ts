/** All that happened to one key, as text: what is printed with a violation. */
import type { History } from './history.ts'

/** Lines about reads around the moment of the violation; writes, faults and the offline rows are all shown. */
const READS_SHOWN_MAX = 200

export function keyHistory(history: History, key: number, atMs: number): string {
  const ofKey = <T extends { readonly key: number }>(items: readonly T[]): T[] =>
    items.filter((item) => item.key === key)
  const reads = ofKey([...history.reads, ...history.final]).toSorted((a, b) => a.sentMs - b.sentMs)
  const shown = reads
    .toSorted((a, b) => Math.abs(a.sentMs - atMs) - Math.abs(b.sentMs - atMs))
    .slice(0, READS_SHOWN_MAX)
  const lines = [
    ...history.faults.flatMap((fault) => [
      { ms: fault.beganMs, text: `fault begins: ${fault.kind} (${fault.detail})` },
      { ms: fault.endedMs, text: `fault ends: ${fault.kind} (${fault.detail})` },
    ]),
    ...ofKey(history.writes).flatMap((write) => [
      { ms: write.sentMs, text: `write #${write.attempt} sent, event ${write.eventMicros}` },
      ...write.acks.map((ack) => ({
        ms: ack.atMs,
        text: `write #${write.attempt} ${ack.status} at position ${ack.position} by ${ack.instance}`,
      })),
      ...(write.fate === 'acknowledged'
        ? []
        : [{ ms: write.endedMs, text: `write #${write.attempt} given up, ${write.fate}` }]),
    ]),
    ...shown.map((read) => ({
      ms: read.sentMs,
      text:
        `read ${read.consistency} through ${read.instance}, answered after ${(read.endedMs - read.sentMs).toFixed(1)} ms: ` +
        `${read.attempt === undefined ? read.status : `#${read.attempt}`}${read.isStale ? ' (stale)' : ''}`,
    })),
  ]
  const happened = lines
    .toSorted((a, b) => a.ms - b.ms)
    .map(({ ms, text }) => `  ${ms.toFixed(1).padStart(10)} ms  ${text}`)
  const stored = ofKey(history.offline)
    .toSorted((a, b) => Number(a.position - b.position))
    .map((row) => `  offline  #${row.attempt} event ${row.eventMicros} position ${row.position}`)
  const hidden = reads.length - shown.length
  return [
    `history of key ${key}${hidden > 0 ? ` (${hidden} reads far from the violation are not shown)` : ''}:`,
    ...happened,
    ...stored,
  ].join('\n')
}
