/**
 * The metrics of one server, in Prometheus' text format.
 *
 * Every metric is read when somebody asks for the text, from numbers that the parts keep anyway; so an instance that nobody
 * scrapes pays nothing. A part that fails to say its numbers costs its own samples, never the others.
 */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'

/** One value; `labels` has exactly the labels that its metric declares. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
}

export interface MetricSpec {
  /** `twinstore_<part>_<what>[_<unit>][_total]`; seconds and bytes, never other units. */
  readonly name: string
  /** For people who meet the metric in a query builder; docs/metrics.md says more. */
  readonly help: string
  readonly labels?: readonly string[]
  /** The present values; called once per scrape. A number stands for one value without labels. */
  read(): number | readonly Sample[] | Promise<number | readonly Sample[]>
}

/** How long something took: counts per bucket, kept by whoever measures. */
export interface DurationCounts {
  readonly labels?: Readonly<Record<string, string>>
  /** How many took at most as long as the bound of the same index, and longer than the bound before it; one more for the rest. */
  readonly buckets: readonly number[]
  readonly sumSeconds: number
}

export interface DurationSpec extends Omit<MetricSpec, 'read'> {
  /** Upper bounds of the buckets, ascending, seconds. */
  readonly boundsSeconds: readonly number[]
  read(): readonly DurationCounts[]
}

export interface Metrics {
  /** What can go up and down. */
  gauge(spec: MetricSpec): void
  /** What only grows while the process lives; its name ends in `_total`. */
  counter(spec: MetricSpec): void
  /** A histogram of durations. */
  durations(spec: DurationSpec): void
  /** What Node and the operating system say of the process, under prom-client's usual names. Starts to observe garbage collections. */
  process(): void
  /** Names of what is registered. */
  names(): readonly string[]
  text(): Promise<string>
}

/** prom-client's own begin at 1 ms and have three more up to a second: too coarse for pauses of 2 to 50 ms. */
const GC_BOUNDS_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1]

export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE

/** `onFault` is told which metric could not be read, and why. */
export function createMetrics(onFault: (name: string, error: unknown) => void): Metrics {
  const registry = new Registry()

  const collect = async (metric: Gauge | Counter, { name, labels, read }: MetricSpec): Promise<void> => {
    metric.reset()
    try {
      const found = await read()
      const samples = typeof found === 'number' ? [{ value: found }] : found
      for (const { labels: own = {}, value } of samples) metric.inc(own, value)
    } catch (error) {
      // A metric without labels is 0 after a reset, which would be a statement.
      if (labels === undefined) metric.remove()
      onFault(name, error)
    }
  }

  const options = ({ name, help, labels = [] }: Omit<MetricSpec, 'read'>) => ({
    name,
    help,
    labelNames: [...labels],
    registers: [registry],
  })

  return {
    gauge(spec) {
      const gauge: Gauge = new Gauge({ ...options(spec), collect: () => collect(gauge, spec) })
    },
    counter(spec) {
      const counter: Counter = new Counter({ ...options(spec), collect: () => collect(counter, spec) })
    },
    durations(spec) {
      // prom-client's own histogram counts observations one by one; here they are counted already.
      registry.registerMetric(durationMetric(spec) as never)
    },
    process() {
      collectDefaultMetrics({ register: registry, gcDurationBuckets: GC_BOUNDS_SECONDS })
      new Gauge({
        ...options({
          name: 'nodejs_array_buffers_bytes',
          help: 'Memory of buffers outside the heap: cached rows, requests, answers. Part of nodejs_external_memory_bytes.',
        }),
        collect() {
          this.set(process.memoryUsage().arrayBuffers)
        },
      })
    },
    names: () => registry.getMetricsAsArray().map(({ name }) => name),
    text: () => registry.metrics(),
  }
}

function durationMetric(spec: DurationSpec) {
  const { name, help } = spec
  return {
    name,
    async get() {
      const values = spec.read().flatMap((counts) => histogramLines(spec, counts))
      return { name, help, type: 'histogram', aggregator: 'sum', values }
    },
  }
}

function histogramLines({ name, boundsSeconds }: DurationSpec, { labels = {}, buckets, sumSeconds }: DurationCounts) {
  let count = 0
  const lines = buckets.map((inBucket, index) => {
    count += inBucket
    return { metricName: `${name}_bucket`, labels: { ...labels, le: boundsSeconds[index] ?? '+Inf' }, value: count }
  })
  return [
    ...lines,
    { metricName: `${name}_sum`, labels, value: sumSeconds },
    { metricName: `${name}_count`, labels, value: count },
  ]
}
