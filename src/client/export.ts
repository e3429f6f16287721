/** ExportFeatures: a data set as a stream of bytes that is checked against its trailer. */
import { TwinstoreError } from '../domain/errors.ts'
import { lengthField } from '../lib/wire.ts'
import { encodeColumns, rowsToColumns } from './columns.ts'
import { type DatasetCall, type DatasetOptions, type DatasetStream, openDataset } from './dataset.ts'
import { receivedContent } from './dataset-content.ts'
import { columnTypes, type DescriptionCache } from './description.ts'
import { encodeMessage, methodPath } from './protocol.ts'
import type { Transport } from './transport.ts'

export type { DatasetInfo, DatasetStream, DatasetTrailer, ResumeFrom } from './dataset.ts'

export type DatasetFormat = 'parquet' | 'arrow' | 'csv' | 'rows'

export interface ExportOptions extends DatasetOptions {
  readonly view?: string
  readonly service?: string
  /** Parquet unless given. */
  readonly format?: DatasetFormat
  /** Event time from (inclusive) and until (exclusive): a Date, or microseconds as a bigint. */
  readonly from?: Date | bigint
  readonly until?: Date | bigint
  /** Only these entities. */
  readonly entities?: readonly Readonly<Record<string, unknown>>[]
  readonly columns?: readonly string[]
  readonly tableVersion?: bigint | number
  readonly latestOnly?: boolean
}

const MESSAGE = 'ExportFeaturesRequest'

export async function exportFeatures(
  transport: Transport,
  descriptions: DescriptionCache,
  options: ExportOptions,
): Promise<DatasetStream> {
  if ((options.view === undefined) === (options.service === undefined)) {
    throw new TwinstoreError('INVALID_ARGUMENT', 'export either a `view` or a `service`')
  }
  const head = encodeMessage(MESSAGE, {
    ...(options.view === undefined ? { featureService: options.service } : { view: options.view }),
    format: `DATASET_FORMAT_${(options.format ?? 'parquet').toUpperCase()}`,
    columns: options.columns ?? [],
    latestOnly: options.latestOnly ?? false,
    ...(options.from === undefined ? {} : { fromMicros: micros(options.from) }),
    ...(options.until === undefined ? {} : { untilMicros: micros(options.until) }),
    ...(options.tableVersion === undefined ? {} : { tableVersion: String(options.tableVersion) }),
  })
  const request = Buffer.concat([head, ...(await entityFields(descriptions, options))])
  const call: DatasetCall = {
    begin: (resume, callOptions) => {
      const message = resume === undefined ? request : Buffer.concat([request, encodeMessage(MESSAGE, { resume })])
      return transport.serverStream(methodPath('Offline', 'ExportFeatures'), message, callOptions)
    },
    repeatable: true,
  }
  return openDataset(call, transport, options, await receivedContent(options.resume?.received))
}

/** `repeated Column entities = 6`. */
async function entityFields(descriptions: DescriptionCache, options: ExportOptions): Promise<Buffer[]> {
  if (options.entities === undefined) return []
  const { views, services } = await descriptions.get()
  const columns =
    options.view === undefined
      ? services.find((service) => service.name === options.service)?.entityColumns
      : views.find((view) => view.name === options.view)?.joinKeys
  const encoded = encodeColumns(rowsToColumns(options.entities), columnTypes(columns ?? []))
  return encoded.map((column) => lengthField(6, column))
}

/** As proto-loader takes an int64. */
export function micros(time: Date | bigint): string {
  return (typeof time === 'bigint' ? time : BigInt(time.getTime()) * 1000n).toString()
}
