/** What became of the calls of one kind. */
import { build } from 'hdr-histogram-js'

const NANOS_PER_MS = 1e6
/** Longer than any deadline; a longer time counts as this. */
const HIGHEST_NANOS = 600e9
/** A message may have a number in it, and then every failure is another one. */
const FAILURES_MAX = 50

export function newHistogram() {
  return build({ bitBucketSize: 32, highestTrackableValue: HIGHEST_NANOS, numberOfSignificantValueDigits: 3 })
}

export class Tally {
  completed = 0
  failures = {}
  /** Nanoseconds from when a call was due to its answer, and from when it was sent. In a closed loop they are the same. */
  intended = newHistogram()
  actual = newHistogram()

  record(nowMs, { intendedMs, sentMs }) {
    this.completed++
    this.intended.recordValue(nanos(nowMs - intendedMs))
    this.actual.recordValue(nanos(nowMs - sentMs))
  }

  fail(what) {
    const isKnown = this.failures[what] !== undefined
    const name = isKnown || Object.keys(this.failures).length < FAILURES_MAX ? what : 'other failures'
    this.failures[name] = (this.failures[name] ?? 0) + 1
  }
}

function nanos(ms) {
  return Math.min(HIGHEST_NANOS, Math.max(1, Math.round(ms * NANOS_PER_MS)))
}
