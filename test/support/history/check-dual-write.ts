/** G1: every acknowledged row is in the offline history exactly once, at its position, and nothing is there that nobody sent. */
import type { Finding } from './check.ts'
import { groupBy, type History, type StoredRow, type Write } from './history.ts'

export function checkDualWrite({ writes, offline }: Pick<History, 'writes' | 'offline'>): Finding[] {
  const findings: Finding[] = []
  const stored = groupBy(offline, (row) => row.attempt)
  const sent = new Set(writes.map((write) => write.attempt))
  for (const row of offline) {
    if (!sent.has(row.attempt)) {
      findings.push({ rule: 'G1', key: row.key, atMs: 0, problem: `row #${row.attempt} in the history was never sent` })
    }
  }
  for (const write of writes) {
    for (const problem of problemsOf(write, stored.get(write.attempt) ?? [])) {
      findings.push({ rule: 'G1', key: write.key, atMs: write.sentMs, problem: `row #${write.attempt} ${problem}` })
    }
  }
  return findings
}

function* problemsOf(write: Write, rows: readonly StoredRow[]): Generator<string> {
  const [row] = rows
  const [ack, ...repeated] = write.acks
  if (rows.length > 1) yield `is in the history ${rows.length} times (${write.fate})`
  if (write.fate === 'acknowledged' && row === undefined) yield 'was acknowledged and is not in the history'
  if (write.fate === 'refused' && row !== undefined) yield 'was refused and is in the history'
  if (row !== undefined && (row.key !== write.key || row.eventMicros !== write.eventMicros)) {
    yield `is in the history with another key (${row.key}) or event time (${row.eventMicros}) than it was sent with`
  }
  if (ack === undefined) return
  if (row !== undefined && row.position !== ack.position) {
    yield `was acknowledged at position ${ack.position} and is in the history at ${row.position}`
  }
  for (const { position, status, instance } of repeated) {
    if (position === ack.position && status === ack.status) continue
    yield `was acknowledged as ${ack.status} at ${ack.position}, and as ${status} at ${position} when repeated through ${instance}`
  }
}
