/**
 * A closed loop: `concurrency` lanes, each of which sends its next request when the last one is answered.
 *
 * It answers "how long does a caller wait that asks one thing after the other". It says nothing of a queue that builds up when
 * requests come at their own pace; with one lane there is no queue.
 */
import { build } from 'hdr-histogram-js'

const NANOS_PER_MS = 1e6
const HIGHEST_NANOS = 120e9
const PERCENTILES = { p50_ms: 50, p90_ms: 90, p99_ms: 99, p999_ms: 99.9 }

/**
 * Runs for `seconds`, then lets what is under way finish. `send(turn, done)` makes one call; `turn` counts them.
 * Resolves to percentiles of the latency in milliseconds, and calls per second.
 */
export async function closedLoop({ send, concurrency, seconds }) {
  const histogram = build({
    bitBucketSize: 32,
    highestTrackableValue: HIGHEST_NANOS,
    numberOfSignificantValueDigits: 3,
  })
  const startMs = performance.now()
  const endMs = startMs + seconds * 1000
  let turn = 0
  const lane = () =>
    new Promise((resolve, reject) => {
      const next = () => {
        const sentMs = performance.now()
        if (sentMs >= endMs) {
          resolve()
          return
        }
        send(turn++, (error) => {
          if (error) {
            reject(error)
            return
          }
          histogram.recordValue(Math.round((performance.now() - sentMs) * NANOS_PER_MS))
          next()
        })
      }
      next()
    })
  await Promise.all(Array.from({ length: concurrency }, lane))
  const elapsedSeconds = (performance.now() - startMs) / 1000
  const figures = { calls_per_s: turn / elapsedSeconds, calls: turn }
  for (const [name, percentile] of Object.entries(PERCENTILES)) {
    figures[name] = histogram.getValueAtPercentile(percentile) / NANOS_PER_MS
  }
  return figures
}
