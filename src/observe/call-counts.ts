/**
 * Calls by method and code, and how long they took. A call costs one look-up of its method and a few additions; names,
 * labels and sums are made when somebody scrapes.
 */
import type { Metrics } from './metrics.ts'

/** From a cached answer (0.4 ms) to a training set; the last bucket is everything above. */
const BOUNDS_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600]
const BOUNDS_MS = BOUNDS_SECONDS.map((seconds) => seconds * 1000)

interface MethodCounts {
  /** By gRPC status code. */
  readonly byCode: number[]
  readonly buckets: number[]
  sumMs: number
}

export class CallCounts {
  readonly #methods = new Map<string, MethodCounts>()

  /** `path` is `/package.Service/Method`, `code` the number of the gRPC status. */
  ended(path: string, code: number, durationMs: number): void {
    const counts = this.#methods.get(path) ?? this.#add(path)
    counts.byCode[code] = (counts.byCode[code] ?? 0) + 1
    let bucket = 0
    while (bucket < BOUNDS_MS.length && durationMs > BOUNDS_MS[bucket]!) bucket++
    counts.buckets[bucket]!++
    counts.sumMs += durationMs
  }

  /** `codeName` names a gRPC status code. */
  register(metrics: Metrics, codeName: (code: number) => string): void {
    metrics.counter({
      name: 'twinstore_grpc_calls_total',
      help: 'Calls that ended, by method and gRPC status code',
      labels: ['method', 'code'],
      read: () =>
        [...this.#methods].flatMap(([path, { byCode }]) =>
          byCode.map((value, code) => ({ labels: { method: methodName(path), code: codeName(code) }, value })),
        ),
    })
    metrics.durations({
      name: 'twinstore_grpc_call_duration_seconds',
      help: 'From the arrival of a call to its end; of streams, how long they were open',
      labels: ['method'],
      boundsSeconds: BOUNDS_SECONDS,
      read: () =>
        [...this.#methods].map(([path, { buckets, sumMs }]) => ({
          labels: { method: methodName(path) },
          buckets,
          sumSeconds: sumMs / 1000,
        })),
    })
  }

  #add(path: string): MethodCounts {
    const counts = { byCode: [], buckets: new Array<number>(BOUNDS_MS.length + 1).fill(0), sumMs: 0 }
    this.#methods.set(path, counts)
    return counts
  }
}

/** `Serving/GetFeatures` of `/twinstore.v1.Serving/GetFeatures`. */
function methodName(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1)
}
