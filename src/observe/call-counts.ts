/**
 * Calls by method and code, and how long they took. A call costs one look-up of its method and a few additions; names,
 * labels and sums are made when somebody scrapes.
 */
import type { Metrics } from './metrics.ts'

/** From a cached answer (0.4 ms) to a training set; the last bucket is everything above. */
const BOUNDS_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600]
const BOUNDS_MS = BOUNDS_SECONDS.map((seconds) => seconds * 1000)

interface MethodCounts {
  /** By the number of the status. */
  readonly byCode: number[]
  readonly buckets: number[]
  sumMs: number
}

/** What the metrics of one edge are called, and how its methods and codes are named in them. */
export interface CallMetrics {
  readonly calls: {
    readonly name: string
    readonly help: string
    readonly labels: readonly [method: string, code: string]
  }
  readonly durations: { readonly name: string; readonly help: string }
  readonly methodName: (path: string) => string
}

export const GRPC_CALLS: CallMetrics = {
  calls: {
    name: 'twinstore_grpc_calls_total',
    help: 'Calls that ended, by method and gRPC status code',
    labels: ['method', 'code'],
  },
  durations: {
    name: 'twinstore_grpc_call_duration_seconds',
    help: 'From the arrival of a call to its end; of streams, how long they were open',
  },
  // `Serving/GetFeatures` of `/twinstore.v1.Serving/GetFeatures`.
  methodName: (path) => path.slice(path.lastIndexOf('.') + 1),
}

export const HTTP_REQUESTS: CallMetrics = {
  calls: {
    name: 'twinstore_http_requests_total',
    help: 'HTTP requests that ended, by route and status; 499: the client went away before the end of the answer',
    labels: ['route', 'status'],
  },
  durations: {
    name: 'twinstore_http_request_duration_seconds',
    help: 'From the head of a request to the end of its answer',
  },
  methodName: (path) => path,
}

export class CallCounts {
  readonly #metrics: CallMetrics
  readonly #methods = new Map<string, MethodCounts>()

  constructor(metrics: CallMetrics) {
    this.#metrics = metrics
  }

  /** `path` is `/package.Service/Method` or a route, `code` the number of the gRPC or HTTP status. */
  ended(path: string, code: number, durationMs: number): void {
    const counts = this.#methods.get(path) ?? this.#add(path)
    counts.byCode[code] = (counts.byCode[code] ?? 0) + 1
    let bucket = 0
    while (bucket < BOUNDS_MS.length && durationMs > BOUNDS_MS[bucket]!) bucket++
    counts.buckets[bucket]!++
    counts.sumMs += durationMs
  }

  /** `codeName` names a status. */
  register(metrics: Metrics, codeName: (code: number) => string): void {
    const { calls, durations, methodName } = this.#metrics
    const [method, code] = calls.labels
    metrics.counter({
      ...calls,
      read: () =>
        [...this.#methods].flatMap(([path, { byCode }]) =>
          byCode.map((value, number) => ({ labels: { [method]: methodName(path), [code]: codeName(number) }, value })),
        ),
    })
    metrics.durations({
      ...durations,
      labels: [method],
      boundsSeconds: BOUNDS_SECONDS,
      read: () =>
        [...this.#methods].map(([path, { buckets, sumMs }]) => ({
          labels: { [method]: methodName(path) },
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
