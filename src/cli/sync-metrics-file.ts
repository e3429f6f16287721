/**
 * How a one-shot sync went, as a file for node_exporter's textfile collector. It is put in place as a whole, because the collector
 * may read at any moment.
 *
 * When a view was last synced is kept from the file that was there: an alert on its age must not be silenced by runs that fail.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { SyncFailure, SyncResult } from '../client/index.ts'
import { TwinstoreError } from '../domain/errors.ts'
import { systemClock } from '../lib/clock.ts'

export interface SyncEnd {
  readonly results: readonly SyncResult[]
  readonly failures: readonly SyncFailure[]
  /** Of the command. */
  readonly exitCode: number
}

const LAST_SUCCESS = 'twinstore_sync_job_last_success_timestamp_seconds'

/** INVALID_ARGUMENT if the file cannot be written. */
export function writeSyncMetrics(path: string, end: SyncEnd): void {
  const temporary = `${path}.${process.pid}.tmp`
  try {
    writeFileSync(temporary, metricsText(end, lastSuccessesIn(path)))
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    const problem = error instanceof Error ? error.message : String(error)
    throw new TwinstoreError('INVALID_ARGUMENT', `--metrics-file: ${problem}`, { cause: error })
  }
}

function metricsText({ results, failures, exitCode }: SyncEnd, successes: Map<string, number>): string {
  const nowSeconds = Math.floor(systemClock.nowMicros() / 1e6)
  for (const { view, seconds } of results) successes.set(view, nowSeconds - Math.round(seconds))
  const ofResults = (value: (result: SyncResult) => number) =>
    results.map((result): readonly [string, number] => [result.view, value(result)])
  return [
    metric('twinstore_sync_job_timestamp_seconds', 'When the job ended', [['', nowSeconds]]),
    metric('twinstore_sync_job_exit_code', 'How it ended: 0 done, 8 some views failed, 9 refused, 5 no server', [
      ['', exitCode],
    ]),
    byView('twinstore_sync_job_succeeded', '1 if the sync of the view was done, 0 if it failed', [
      ...ofResults(() => 1),
      ...failures.map(({ view }): readonly [string, number] => [view, 0]),
    ]),
    byView(LAST_SUCCESS, 'When the last sync of the view that was done began', [...successes]),
    byView(
      'twinstore_sync_job_duration_seconds',
      'How long the sync took',
      ofResults(({ seconds }) => seconds),
    ),
    byView(
      'twinstore_sync_job_rows_read',
      'Rows of the source',
      ofResults(({ rowsRead }) => rowsRead),
    ),
    byView(
      'twinstore_sync_job_rows_added',
      'New rows in the history',
      ofResults(({ rowsAdded }) => rowsAdded),
    ),
    byView(
      'twinstore_sync_job_rows_online',
      'Rows made the online value',
      ofResults(({ rowsOnline }) => rowsOnline),
    ),
  ].join('')
}

type Value = readonly [key: string, value: number]

/** Names of views need no escaping: they are letters, digits and underscores. */
function byView(name: string, help: string, values: readonly Value[]): string {
  return metric(
    name,
    help,
    values.map(([view, value]): Value => [`{view="${view}"}`, value]),
  )
}

function metric(name: string, help: string, samples: readonly Value[]): string {
  const lines = samples.map(([labels, value]) => `${name}${labels} ${value}`)
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...lines, ''].join('\n')
}

function lastSuccessesIn(path: string): Map<string, number> {
  let text = ''
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    // The first run finds none.
  }
  const lines = text.matchAll(new RegExp(`^${LAST_SUCCESS}\\{view="(\\w+)"\\} (\\d+)$`, 'gm'))
  return new Map([...lines].map(([, view, seconds]) => [view!, Number(seconds)]))
}
