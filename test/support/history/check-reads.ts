/**
 * G3: what a read must at least see.
 *
 * - FRESH, through any instance: every write acknowledged before the read was sent.
 * - CACHED: every write acknowledged before by the same life of the same instance; through any instance every write that was
 *   acknowledged longer ago than the cache's TTL; and while nothing was wrong lately, longer ago than `convergedMs`.
 * - CACHED, flagged as stale because the online store did not answer: every write acknowledged longer ago than `staleMs`, and by
 *   the same life of the same instance.
 *
 * "Sees" is by version: a newer row is as good. A row of unknown fate may be seen and then be lost with the primary that had it;
 * such a row has no position, so only its event time is compared.
 */
import type { Finding } from './check.ts'
import { compareVersions, type Fault, groupBy, type History, type Read, type Version, type Write } from './history.ts'

export function checkReads({ writes, reads, faults, offline, bounds }: History): Finding[] {
  const rows = new Map(offline.map((row) => [row.attempt, row]))
  const sent = new Map(writes.map((write) => [write.attempt, write]))
  const byKey = new Map([...groupBy(writes, (write) => write.key)].map(([key, own]) => [key, new KeyWrites(own)]))
  const disturbed = disturbedTimes(faults, bounds.settleMs)
  const findings: Finding[] = []
  for (const read of reads) {
    const fail = (problem: string): void => {
      const seen = read.attempt === undefined ? read.status : `row #${read.attempt}`
      const what = `${read.consistency} read through ${read.instance} at ${read.sentMs.toFixed(1)} ms saw ${seen}`
      findings.push({ rule: 'G3', key: read.key, atMs: read.sentMs, problem: `${what}: ${problem}` })
    }
    if (read.status === 'UNAVAILABLE') continue
    if (read.isStale && read.consistency === 'FRESH') fail('a FRESH read is never answered from an expired entry')
    const seen = read.attempt === undefined ? undefined : sent.get(read.attempt)
    if (read.attempt !== undefined && seen?.key !== read.key) {
      fail('nobody wrote that row to this key')
      continue
    }
    const ofKey = byKey.get(read.key)
    for (const { required, why } of ofKey === undefined ? [] : requirements(read, ofKey, disturbed, bounds)) {
      if (required === undefined || isAtLeast(seen, seen && rows.get(seen.attempt), required)) continue
      fail(`row #${required.attempt} was acknowledged at ${required.ackedMs.toFixed(1)} ms ${why}`)
      break
    }
  }
  return findings
}

interface Acknowledged extends Version {
  readonly attempt: bigint
  readonly ackedMs: number
}

interface Requirement {
  readonly required: Acknowledged | undefined
  readonly why: string
}

function* requirements(
  read: Read,
  writes: KeyWrites,
  disturbed: readonly TimeSpan[],
  bounds: History['bounds'],
): Generator<Requirement> {
  const { sentMs, instance } = read
  if (read.consistency === 'FRESH') {
    yield { required: writes.greatestBefore(sentMs), why: 'before the read was sent' }
    return
  }
  yield { required: writes.greatestBefore(sentMs, instance), why: 'by this very instance' }
  if (read.isStale) {
    yield { required: writes.greatestBefore(sentMs - bounds.staleMs), why: `more than ${bounds.staleMs} ms before` }
    return
  }
  yield { required: writes.greatestBefore(sentMs - bounds.cacheTtlMs), why: 'longer before than the TTL' }
  const convergedMs = sentMs - bounds.convergedMs
  if (disturbed.some((span) => span.beganMs < sentMs && span.endedMs > convergedMs)) return
  yield { required: writes.greatestBefore(convergedMs), why: `${bounds.convergedMs} ms before, and nothing was wrong` }
}

function isAtLeast(seen: Write | undefined, stored: Version | undefined, required: Acknowledged): boolean {
  if (seen === undefined) return false
  if (seen.attempt === required.attempt) return true
  return stored === undefined ? seen.eventMicros >= required.eventMicros : compareVersions(stored, required) >= 0
}

/** The acknowledged writes of one key, by time of their acknowledgement. */
class KeyWrites {
  readonly #all: Timeline
  readonly #byInstance: ReadonlyMap<string, Timeline>

  constructor(writes: readonly Write[]) {
    const acks = writes.flatMap((write) =>
      write.acks.map(({ atMs, instance, position }) => ({
        instance,
        acknowledged: { attempt: write.attempt, eventMicros: write.eventMicros, position, ackedMs: atMs },
      })),
    )
    this.#all = timeline(acks.map((ack) => ack.acknowledged))
    const byInstance = groupBy(acks, (ack) => ack.instance)
    this.#byInstance = new Map([...byInstance].map(([name, own]) => [name, timeline(own.map((a) => a.acknowledged))]))
  }

  /** The greatest version acknowledged before the moment, by any instance or by one. */
  greatestBefore(atMs: number, instance?: string): Acknowledged | undefined {
    const steps = instance === undefined ? this.#all : (this.#byInstance.get(instance) ?? [])
    let [low, high] = [0, steps.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (steps[middle]!.fromMs < atMs) low = middle + 1
      else high = middle
    }
    return steps[low - 1]?.greatest
  }
}

type Timeline = readonly { readonly fromMs: number; readonly greatest: Acknowledged }[]

function timeline(acknowledged: readonly Acknowledged[]): Timeline {
  let greatest: Acknowledged | undefined
  return acknowledged
    .toSorted((a, b) => a.ackedMs - b.ackedMs)
    .map((each) => {
      if (greatest === undefined || compareVersions(each, greatest) > 0) greatest = each
      return { fromMs: each.ackedMs, greatest }
    })
}

type TimeSpan = Pick<Fault, 'beganMs' | 'endedMs'>

function disturbedTimes(faults: readonly Fault[], settleMs: number): TimeSpan[] {
  return faults.map(({ beganMs, endedMs }) => ({ beganMs, endedMs: endedMs + settleMs }))
}
