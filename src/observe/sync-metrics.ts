/** How syncs go: what this instance's did since it started, and how each view stands whoever syncs it. */
import type { Metrics, Sample } from './metrics.ts'

export interface SyncNumbers {
  /** By view. */
  readonly counts: () => ReadonlyMap<string, SyncRuns>
  readonly states: () => Promise<readonly ViewState[]>
}

interface SyncRuns {
  readonly runs: Readonly<Record<string, number>>
  readonly rowsRead: number
  readonly rowsAdded: number
  readonly rowsOnline: number
  readonly seconds: number
  readonly running: number
}

interface ViewState {
  readonly view: string
  readonly everySeconds: number | undefined
  readonly ttlSeconds: number | undefined
  readonly last: { readonly beganMs: number; readonly seconds: number | undefined } | undefined
  readonly nextDueMs: number | undefined
  readonly failure: unknown
  readonly freshnessSeconds: number | undefined
}

export function registerSyncMetrics(metrics: Metrics, { counts, states }: SyncNumbers): void {
  const ofRuns = (value: (runs: SyncRuns) => number) => () =>
    [...counts()].map(([view, runs]) => ({ labels: { view }, value: value(runs) }))
  const ofStates = (value: (state: ViewState) => number | undefined) => async (): Promise<readonly Sample[]> =>
    (await states()).flatMap((state) => {
      const found = value(state)
      return found === undefined ? [] : [{ labels: { view: state.view }, value: found }]
    })
  const gauge = (name: string, help: string, value: (state: ViewState) => number | undefined) =>
    metrics.gauge({ name, help, labels: ['view'], read: ofStates(value) })

  metrics.counter({
    name: 'twinstore_sync_runs_total',
    help: 'Syncs of this instance that ended',
    labels: ['view', 'outcome'],
    read: () =>
      [...counts()].flatMap(([view, { runs }]) =>
        Object.entries(runs).map(([outcome, value]) => ({ labels: { view, outcome }, value })),
      ),
  })
  metrics.counter({
    name: 'twinstore_sync_rows_total',
    help: 'Rows that syncs of this instance read from sources, added offline, and made the online value',
    labels: ['view', 'step'],
    read: () =>
      [...counts()].flatMap(([view, { rowsRead, rowsAdded, rowsOnline }]) =>
        Object.entries({ read: rowsRead, added: rowsAdded, online: rowsOnline }).map(([step, value]) => ({
          labels: { view, step },
          value,
        })),
      ),
  })
  metrics.counter({
    name: 'twinstore_sync_seconds_total',
    help: 'Time that the syncs of this instance took which were done',
    labels: ['view'],
    read: ofRuns(({ seconds }) => seconds),
  })
  metrics.gauge({
    name: 'twinstore_sync_running',
    help: 'Syncs that run in this instance',
    labels: ['view'],
    read: ofRuns(({ running }) => running),
  })

  gauge(
    'twinstore_sync_last_success_timestamp_seconds',
    'When the last sync that succeeded began, of whatever instance',
    ({ last }) => last && last.beganMs / 1000,
  )
  gauge('twinstore_sync_last_duration_seconds', 'How long it took', ({ last }) => last?.seconds)
  gauge('twinstore_sync_failing', '1 if the newest sync failed', ({ failure }) => (failure === undefined ? 0 : 1))
  gauge('twinstore_sync_interval_seconds', 'The schedule, sync.every', ({ everySeconds }) => everySeconds)
  gauge(
    'twinstore_sync_next_due_timestamp_seconds',
    'When the next scheduled sync is to begin',
    ({ nextDueMs }) => nextDueMs && nextDueMs / 1000,
  )
  gauge(
    'twinstore_feature_freshness_seconds',
    'Age of the newest event timestamp in the history',
    ({ freshnessSeconds }) => freshnessSeconds,
  )
  gauge('twinstore_feature_ttl_seconds', 'The TTL of the view', ({ ttlSeconds }) => ttlSeconds)
}
