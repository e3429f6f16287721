/**
 * How late the event loop of a server was, by its own account: `twinstore_event_loop_delay_seconds` of its metrics, which looks every
 * 10 ms and says what a call waits that comes in at any time.
 *
 * Two snapshots are taken and subtracted. The mean is exact; a percentile is interpolated within its bucket. What a healthy loop
 * has is below what this can tell: timers go by whole milliseconds, and the first bucket ends at 2. Below `MEAN_MS_MIN` and
 * `BUCKET_MS_MIN` two servers therefore count as alike, and both figures are given as these.
 */
const METRIC = 'twinstore_event_loop_delay_seconds'
const MEAN_MS_MIN = 1
const BUCKET_MS_MIN = 2
const MS_PER_SECOND = 1000

/** Counts by upper bound in milliseconds, of looks and of their delay in sum. */
async function snapshot(metricsAddress) {
  const text = await (await fetch(`http://${metricsAddress}/metrics`)).text()
  const numberOf = (name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)[1])
  const buckets = [...text.matchAll(new RegExp(`^${METRIC}_bucket{le="([^"]+)"} (\\d+)$`, 'gm'))]
  return {
    // Cumulative, as Prometheus has them.
    below: buckets.map(([, bound, count]) => [
      Number(bound.replace('+Inf', 'Infinity')) * MS_PER_SECOND,
      Number(count),
    ]),
    count: numberOf(`${METRIC}_count`),
    sumMs: numberOf(`${METRIC}_sum`) * MS_PER_SECOND,
  }
}

/** Delays of one server, over as many stretches of time as are watched. */
export class LoopDelays {
  #metricsAddress
  #below = []
  #count = 0
  #sumMs = 0

  constructor(metricsAddress) {
    this.#metricsAddress = metricsAddress
  }

  /** The result of `work`, whose time is watched. */
  async during(work) {
    const before = await snapshot(this.#metricsAddress)
    const result = await work()
    const after = await snapshot(this.#metricsAddress)
    this.#count += after.count - before.count
    this.#sumMs += after.sumMs - before.sumMs
    this.#below = after.below.map(([bound, count], index) => {
      const known = this.#below[index]?.[1] ?? 0
      return [bound, known + count - before.below[index][1]]
    })
    return result
  }

  get meanMs() {
    return Math.max(MEAN_MS_MIN, this.#sumMs / this.#count)
  }

  get p99Ms() {
    return Math.max(BUCKET_MS_MIN, this.#atPercentile(99))
  }

  #atPercentile(percent) {
    const wanted = (percent / 100) * this.#count
    let from = { bound: 0, count: 0 }
    for (const [bound, count] of this.#below) {
      // Of the last bucket nothing but its beginning is known.
      if (count >= wanted && bound < Number.POSITIVE_INFINITY) {
        return from.bound + ((bound - from.bound) * (wanted - from.count)) / (count - from.count)
      }
      if (bound < Number.POSITIVE_INFINITY) from = { bound, count }
    }
    return from.bound
  }
}
