/** GetHistory: the versions of one entity's row, newest first, as of any time. */
import { TwinstoreError } from '../domain/errors.ts'
import { viewNamed } from '../domain/known-names.ts'
import { type Feature, storageId } from '../domain/registry.ts'
import type { HistoryRequest, HistoryRowData } from '../offline/offline-store.ts'
import type { CallContext } from './call-context.ts'
import { type EntityColumn, keyRows } from './entity-columns.ts'
import type { OfflineParts } from './offline-parts.ts'
import { checkedMicros } from './time-range.ts'

export interface HistoryCall {
  readonly view: string
  /** The view's join keys, each with one value. */
  readonly entity: readonly EntityColumn[]
  readonly asOfEventMicros?: bigint
  readonly asOfRecordedMicros?: bigint
  /** 0: 100. */
  readonly limit: number
}

export interface HistoryAnswer {
  readonly features: readonly Feature[]
  readonly rows: readonly HistoryRowData[]
  readonly truncated: boolean
  readonly tableVersion: number
  readonly fingerprint: string
}

const LIMIT_DEFAULT = 100

export async function getHistory(parts: OfflineParts, call: HistoryCall, context: CallContext): Promise<HistoryAnswer> {
  const { registry } = parts.definitions.current
  const view = viewNamed(registry, call.view)
  const entities = keyRows(view.joinKeys, call.entity)
  if (entities.length !== 1) {
    throw new TwinstoreError('INVALID_ARGUMENT', `history is of one entity; the columns have ${entities.length} values`)
  }
  const eventMicrosMax = checkedMicros('as_of_event_micros', call.asOfEventMicros)
  const recordedMicrosMax = checkedMicros('as_of_recorded_micros', call.asOfRecordedMicros)
  const request: HistoryRequest = {
    entity: entities[0]!,
    limit: checkedLimit(call.limit, parts.settings.historyRowsMax),
    ...(eventMicrosMax === undefined ? {} : { eventMicrosMax }),
    ...(recordedMicrosMax === undefined ? {} : { recordedMicrosMax }),
  }
  await parts.archiver.flush(context.signal, [storageId(view)])
  const found = await parts.offline.history(view, request, { signal: context.signal })
  return { ...found, features: view.features, fingerprint: registry.fingerprint }
}

function checkedLimit(limit: number, rowsMax: number): number {
  if (limit > rowsMax) {
    throw new TwinstoreError(
      'INVALID_ARGUMENT',
      `limit ${limit} is above the ${rowsMax} of option history-rows-max; use ExportFeatures for long histories`,
    )
  }
  return limit === 0 ? Math.min(LIMIT_DEFAULT, rowsMax) : limit
}
