/**
 * The client library: `import { connect } from 'twinstore/client'`.
 *
 *     const client = connect('127.0.0.1:50051')
 *     const { rows } = await client.getFeatures({
 *       service: 'predict_delay',
 *       entities: [{ origin: 'ATL', destination: 'ORD' }],
 *     })
 *     rows[0].values.origin_airport__mean_delay
 *
 * Over TLS: `connect('features.internal:50051', { tls: { ca: readFileSync('ca.pem') } })`; `cert` and `key` beside it for a server
 * that wants to know its clients.
 *
 * Values are plain JavaScript: int64 is a bigint, a timestamp a Date, bytes a Buffer, a vector an array of numbers, null
 * and missing are null. Every failure is a `TwinstoreError` with the server's code and message.
 */
import type { Description } from '../domain/description.ts'
import { type Clock, systemClock } from '../lib/clock.ts'
import { type CompactOptions, type CompactResult, compact } from './compact.ts'
import { DescriptionCache } from './description.ts'
import { type DatasetStream, type ExportOptions, exportFeatures } from './export.ts'
import { streamFeatures } from './feature-stream.ts'
import { FeatureReader, type FeatureRequest, type FeatureTensor, type FeatureVectors } from './features.ts'
import { getHistory, type History, type HistoryOptions } from './history.ts'
import { type IngestOptions, type IngestSummary, ingest } from './ingest.ts'
import { compareTwins, type ParityOptions, type ViewParityResult } from './parity.ts'
import { type StatisticsOptions, statistics, type ViewStatistics } from './statistics.ts'
import { getStatus, type ServerStatus } from './status.ts'
import { type SyncOptions, type SyncResult, sync } from './sync.ts'
import { type TrainingSetOptions, trainingSet } from './training-set.ts'
import { type CallOptions, Transport, type TransportOptions } from './transport.ts'
import { type WriteOptions, type WriteOutcome, type WriteRow, writeFeatures } from './writes.ts'

export type { ColumnSchema, Description, ServiceDescription, ViewDescription } from '../domain/description.ts'
export { type ErrorCode, type Fault, TwinstoreError } from '../domain/errors.ts'
export type { CompactOptions, CompactResult, VacuumResult } from './compact.ts'
export type { DatasetInfo, DatasetStream, DatasetTrailer, ExportOptions, ResumeFrom } from './export.ts'
export type { FeatureRequest, FeatureRow, FeatureTensor, FeatureVectors, SlotStatusName } from './features.ts'
export type { History, HistoryOptions, HistoryRow } from './history.ts'
export type { IngestOptions, IngestSummary } from './ingest.ts'
export type {
  ParityCounts,
  ParityFaultKind,
  ParityFinding,
  ParityOptions,
  RowVersion,
  ViewParityResult,
  ViewParityStatus,
} from './parity.ts'
export type { PlainValue } from './plain-value.ts'
export type { FeatureStatistics, NumberStatistics, StatisticsOptions, ViewStatistics } from './statistics.ts'
export type { ServerStatus, ViewSyncStatus } from './status.ts'
export type { SyncFailure, SyncOptions, SyncResult } from './sync.ts'
export type { TlsOptions } from './tls.ts'
export type { TrainingSetOptions } from './training-set.ts'
export type { WriteOptions, WriteOutcome, WriteRow } from './writes.ts'

export interface ConnectOptions extends Partial<TransportOptions> {
  /** For tests. */
  readonly clock?: Clock
}

export interface TwinstoreClient {
  readonly address: string
  getFeatures(request: FeatureRequest & { readonly format?: 'values' }): Promise<FeatureVectors>
  getFeatures(request: FeatureRequest & { readonly format: 'tensor' }): Promise<FeatureTensor>
  /** Many requests on one call, answered in their order; for who asks again and again the cheapest way. `deadlineMs` is that of the call. */
  streamFeatures(
    requests: AsyncIterable<FeatureRequest> | Iterable<FeatureRequest>,
    options?: CallOptions,
  ): AsyncIterable<FeatureVectors | FeatureTensor>
  /** All rows or none; retried safely, because every call has a write id. */
  writeFeatures(view: string, rows: readonly WriteRow[], options?: WriteOptions): Promise<readonly WriteOutcome[]>
  /** Writes a stream of rows in batches on one call, at the pace of their acknowledgements. */
  ingest(
    view: string,
    rows: AsyncIterable<WriteRow> | Iterable<WriteRow>,
    options?: IngestOptions,
  ): Promise<IngestSummary>
  /** Resolves when the data set is made and its bytes begin to come. */
  exportFeatures(options: ExportOptions): Promise<DatasetStream>
  trainingSet(options: TrainingSetOptions): Promise<DatasetStream>
  history(view: string, entity: Readonly<Record<string, unknown>>, options?: HistoryOptions): Promise<History>
  describe(): Promise<Description>
  /** Syncs the views (none given: all with a source), or rebuilds them; resolves to a result per view. */
  sync(options?: SyncOptions): Promise<readonly SyncResult[]>
  /** Compacts the views' offline tables (none given: all); resolves to a result per view. */
  compact(options?: CompactOptions): Promise<readonly CompactResult[]>
  /** Compares the two stores, and mends what differs if asked to; resolves to a result per view. */
  parity(options?: ParityOptions): Promise<readonly ViewParityResult[]>
  /** How the values of features are spread, and how far they have drifted from a reference window; kept by the server too. */
  statistics(options?: StatisticsOptions): Promise<readonly ViewStatistics[]>
  status(): Promise<ServerStatus>
  close(): void
}

/**
 * Connects lazily: nothing is sent before the first call. `address` is `host:port`. INVALID_ARGUMENT if `tls` has what cannot be used, such as
 * text that is no PEM. A server that cannot be reached, or that cannot be trusted, fails the calls, with UNAVAILABLE and the reason.
 */
export function connect(address: string, options: ConnectOptions = {}): TwinstoreClient {
  const transport = new Transport(address, options, options.clock ?? systemClock)
  const descriptions = new DescriptionCache(transport)
  const reader = new FeatureReader(transport, descriptions)
  return {
    address,
    getFeatures: ((request: FeatureRequest) => reader.getFeatures(request)) as TwinstoreClient['getFeatures'],
    streamFeatures: (requests, callOptions) => streamFeatures(transport, reader, requests, callOptions),
    writeFeatures: (view, rows, writeOptions) => writeFeatures(transport, descriptions, view, rows, writeOptions),
    ingest: (view, rows, ingestOptions) => ingest(transport, descriptions, view, rows, ingestOptions),
    exportFeatures: (exportOptions) => exportFeatures(transport, descriptions, exportOptions),
    trainingSet: (trainingSetOptions) => trainingSet(transport, trainingSetOptions),
    history: (view, entity, historyOptions) => getHistory(transport, descriptions, view, entity, historyOptions),
    describe: () => descriptions.fetch(),
    sync: (syncOptions) => sync(transport, syncOptions),
    compact: (compactOptions) => compact(transport, compactOptions),
    parity: (parityOptions) => compareTwins(transport, parityOptions),
    statistics: (statisticsOptions) => statistics(transport, statisticsOptions),
    status: () => getStatus(transport),
    close: () => transport.close(),
  }
}
