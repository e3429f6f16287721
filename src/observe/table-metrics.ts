/** How large the offline tables are: everybody's numbers, from their logs. Many files per byte are work for compaction. */
import { singleFlight } from '../lib/single-flight.ts'
import type { Metrics } from './metrics.ts'

interface TableSize {
  readonly view: string
  readonly tableVersion: number
  readonly rows: number
  readonly files: number
  readonly bytes: number
}

export function registerTableMetrics(metrics: Metrics, read: () => Promise<readonly TableSize[]>): void {
  // All metrics of a scrape are read of the logs once.
  const sizes = singleFlight(read)
  const gauge = (name: string, help: string, value: (table: TableSize) => number): void =>
    metrics.gauge({
      name,
      help,
      labels: ['view'],
      read: async () =>
        (await sizes())
          .filter(({ tableVersion }) => tableVersion >= 0)
          .map((table) => ({ labels: { view: table.view }, value: value(table) })),
    })
  gauge('twinstore_table_version', "Newest version of a view's offline table", ({ tableVersion }) => tableVersion)
  gauge('twinstore_table_rows', "Rows of a view's offline table", ({ rows }) => rows)
  gauge('twinstore_table_files', 'Files of its newest version', ({ files }) => files)
  gauge('twinstore_table_bytes', 'Their bytes', ({ bytes }) => bytes)
}
