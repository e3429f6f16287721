/**
 * G2: the online value of a key is the greatest version of its history, and outcomes say what that rule gives: SUPERSEDED exactly
 * when a row of a greater event time had come before, and positions follow the order of the writes in time.
 */
import type { Finding } from './check.ts'
import { compareVersions, groupBy, type History, type StoredRow, type Write } from './history.ts'

export function checkOrder({ writes, offline, final }: Pick<History, 'writes' | 'offline' | 'final'>): Finding[] {
  const rowsOfKey = groupBy(offline, (row) => row.key)
  const findings: Finding[] = []
  for (const read of final) {
    const rows = rowsOfKey.get(read.key) ?? []
    const greatest = rows.reduce<StoredRow | undefined>(
      (best, row) => (best === undefined || compareVersions(row, best) > 0 ? row : best),
      undefined,
    )
    if (read.attempt === greatest?.attempt) continue
    const seen = read.attempt === undefined ? read.status : `row #${read.attempt}`
    const problem = `at the end ${read.instance} answers ${seen}; the greatest version of the history is ${rowText(greatest)}`
    findings.push({ rule: 'G2', key: read.key, atMs: read.sentMs, problem })
  }
  for (const [key, ofKey] of groupBy(writes, (write) => write.key)) {
    findings.push(...wrongOutcomes(ofKey, rowsOfKey.get(key) ?? []), ...wrongPositions(ofKey))
  }
  return findings
}

function rowText(row: StoredRow | undefined): string {
  return row === undefined ? 'none' : `row #${row.attempt}`
}

function* wrongOutcomes(writes: readonly Write[], rows: readonly StoredRow[]): Generator<Finding> {
  const inOrder = rows.toSorted((a, b) => Number(a.position - b.position))
  /** Of the rows in order, the greatest event time up to and including each. */
  let greatest = inOrder[0]
  const greatestBefore = new Map<bigint, StoredRow>()
  for (const row of inOrder) {
    greatestBefore.set(row.attempt, greatest!)
    if (row.eventMicros >= greatest!.eventMicros) greatest = row
  }
  for (const { key, attempt, eventMicros, acks, sentMs } of writes) {
    const before = greatestBefore.get(attempt)
    const [ack] = acks
    if (before === undefined || ack === undefined) continue
    const expected = before.eventMicros > eventMicros ? 'SUPERSEDED' : 'APPLIED'
    if (ack.status === expected) continue
    const problem = `row #${attempt} was acknowledged as ${ack.status}; with row #${before.attempt} before it, it is ${expected}`
    yield { rule: 'G2', key, atMs: sentMs, problem }
  }
}

/** A write that was sent after another one was acknowledged has the greater position. */
function* wrongPositions(writes: readonly Write[]): Generator<Finding> {
  const acknowledged = writes.filter((write) => write.acks.length > 0).map((write) => ({ write, ack: write.acks[0]! }))
  const byAck = acknowledged.toSorted((a, b) => a.ack.atMs - b.ack.atMs)
  let next = 0
  let greatest: (typeof byAck)[number] | undefined
  for (const { write, ack } of acknowledged.toSorted((a, b) => a.write.sentMs - b.write.sentMs)) {
    for (; next < byAck.length && byAck[next]!.ack.atMs < write.sentMs; next++) {
      const earlier = byAck[next]!
      if (greatest === undefined || earlier.ack.position > greatest.ack.position) greatest = earlier
    }
    if (greatest === undefined || ack.position > greatest.ack.position) continue
    const problem = `row #${write.attempt} has position ${ack.position}, not above that of row #${greatest.write.attempt} (${greatest.ack.position}), which was acknowledged before it was sent`
    yield { rule: 'G2', key: write.key, atMs: write.sentMs, problem }
  }
}
