/** What comparisons of the twins found: everybody's numbers, from the notes in the online store. */
import { singleFlight } from '../lib/single-flight.ts'
import type { Metrics, Sample } from './metrics.ts'

export interface ParityNumbers {
  readonly view: string
  /** Of the newest comparison, by class; undefined: the view was never compared. */
  readonly counts: Readonly<Record<string, number>> | undefined
  readonly repaired: number
  readonly endedMs: number
  readonly seconds: number
  /** Over all parts of the keys that were looked at. */
  readonly openFaults: number
}

export function registerParityMetrics(metrics: Metrics, read: () => Promise<readonly ParityNumbers[]>): void {
  // All metrics of a scrape are read of the notes once.
  const numbers = singleFlight(read)
  const gauge = (name: string, help: string, take: (view: ParityNumbers) => number): void =>
    metrics.gauge({
      name,
      help,
      labels: ['view'],
      read: async () =>
        (await numbers())
          .filter(({ counts }) => counts !== undefined)
          .map((of): Sample => ({ labels: { view: of.view }, value: take(of) })),
    })

  metrics.gauge({
    name: 'twinstore_parity_keys',
    help: 'Keys of the newest comparison of the two stores, by class',
    labels: ['view', 'class'],
    read: async () =>
      (await numbers()).flatMap(({ view, counts }) =>
        Object.entries(counts ?? {}).map(
          ([name, value]): Sample => ({ labels: { view, class: snakeCase(name) }, value }),
        ),
      ),
  })
  gauge(
    'twinstore_parity_open_faults',
    'Keys known to differ and not mended, over all parts of the keys that were looked at',
    ({ openFaults }) => openFaults,
  )
  gauge('twinstore_parity_repaired', 'Faults that the newest comparison mended', ({ repaired }) => repaired)
  gauge(
    'twinstore_parity_last_run_timestamp_seconds',
    'When the newest comparison ended, seconds since 1970',
    ({ endedMs }) => endedMs / 1000,
  )
  gauge('twinstore_parity_last_run_seconds', 'How long it took', ({ seconds }) => seconds)
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
