/** The messages of the `Offline` service as proto-loader makes them, and their meaning as the handlers take and give it. */
import { TwinstoreError } from '../../domain/errors.ts'
import { parseTypeName, typeName } from '../../domain/value-type.ts'
import { lengthField } from '../../lib/wire.ts'
import {
  type DatasetColumn,
  type DatasetFormat,
  type JoinMode,
  SCALAR_OF_COLUMN_TYPE,
} from '../../offline/offline-store.ts'
import type { DatasetHeader, DatasetPart } from '../dataset-stream.ts'
import type { EntityColumn } from '../entity-columns.ts'
import type { ExportCall } from '../export-handler.ts'
import type { HistoryAnswer, HistoryCall } from '../history-handler.ts'
import type { ResumeCall } from '../resume-token.ts'
import type { SpineFormat, TrainingSetPart, TrainingSetSpec } from '../training-set-spec.ts'
import type { ContentMessages } from './content-messages.ts'
import { messageCodec } from './protocol.ts'

interface ColumnMessage {
  readonly name: string
  readonly values?: 'strings' | 'int64s' | 'doubles' | 'bools' | 'list'
  readonly strings?: { readonly val: readonly string[] }
  readonly int64s?: { readonly val: readonly string[] }
  readonly doubles?: { readonly val: readonly number[] }
  readonly bools?: { readonly val: readonly boolean[] }
  readonly list?: { readonly val: readonly ValueMessage[] }
}

interface ValueMessage {
  readonly val?: string
  readonly stringVal?: string
  readonly int64Val?: string
  readonly int32Val?: number
}

interface ExportMessage {
  readonly source?: 'view' | 'featureService'
  readonly view?: string
  readonly featureService?: string
  readonly format: string | number
  readonly fromMicros?: string
  readonly untilMicros?: string
  readonly entities: readonly ColumnMessage[]
  readonly columns: readonly string[]
  readonly tableVersion?: string
  readonly latestOnly: boolean
  readonly resume?: ResumeMessage | null
}

interface ResumeMessage {
  readonly token: string
  readonly receivedBytes: string
}

interface TrainingSetMessage {
  readonly spec?: {
    readonly featureService: string
    readonly spineFormat: string | number
    readonly timestampColumn: string
    readonly mode: string | number
    readonly format: string | number
    readonly pinJson: string
    readonly spineSource: string
    readonly resume?: ResumeMessage | null
  }
  readonly spine?: Buffer
}

interface HistoryMessage {
  readonly view: string
  readonly entity: readonly ColumnMessage[]
  readonly asOfEventMicros?: string
  readonly asOfRecordedMicros?: string
  readonly limit: number
}

const exportCodec = messageCodec<ExportMessage>('ExportFeaturesRequest')
const trainingSetCodec = messageCodec<TrainingSetMessage>('TrainingSetRequest')
const historyCodec = messageCodec<HistoryMessage>('GetHistoryRequest')
const historyRowCodec = messageCodec('HistoryRow')
const historyAnswerCodec = messageCodec('GetHistoryResponse')
const chunkCodec = messageCodec('DatasetChunk')

const DATASET_FORMATS: Readonly<Record<string, DatasetFormat>> = {
  DATASET_FORMAT_PARQUET: 'parquet',
  DATASET_FORMAT_ARROW: 'arrow',
  DATASET_FORMAT_CSV: 'csv',
  DATASET_FORMAT_ROWS: 'rows',
}
const JOIN_MODES: Readonly<Record<string, JoinMode>> = {
  JOIN_MODE_EVENT_TIME: 'EVENT_TIME',
  JOIN_MODE_AS_SERVED: 'AS_SERVED',
}
const SPINE_FORMATS: Readonly<Record<string, SpineFormat>> = {
  SPINE_FORMAT_PARQUET: 'parquet',
  SPINE_FORMAT_CSV: 'csv',
  SPINE_FORMAT_ARROW: 'arrow',
}

export function decodeExport(bytes: Buffer): ExportCall {
  const message = exportCodec.decode(bytes)
  return {
    source: exportSource(message),
    format: enumValue('format', DATASET_FORMATS, message.format) ?? 'parquet',
    entities: message.entities.map(entityColumn),
    columns: message.columns,
    latestOnly: message.latestOnly,
    ...optionalBigInt('fromMicros', message.fromMicros),
    ...optionalBigInt('untilMicros', message.untilMicros),
    ...optionalBigInt('tableVersion', message.tableVersion),
    ...resumeCall(message.resume),
  }
}

function resumeCall(message: ResumeMessage | null | undefined): { readonly resume?: ResumeCall } {
  if (message === undefined || message === null) return {}
  return { resume: { token: message.token, receivedBytes: BigInt(message.receivedBytes) } }
}

function exportSource(message: ExportMessage): ExportCall['source'] {
  if (message.source === 'view') return { view: message.view! }
  if (message.source === 'featureService') return { featureService: message.featureService! }
  throw new TwinstoreError('INVALID_ARGUMENT', 'nothing to export: set `view` or `feature_service`')
}

export function decodeTrainingSetPart(bytes: Buffer): TrainingSetPart {
  const { spec, spine } = trainingSetCodec.decode(bytes)
  if (spine !== undefined) return { spine }
  if (spec === undefined) throw new TwinstoreError('INVALID_ARGUMENT', 'a message of GetTrainingSet must have a part')
  const spineFormat = enumValue('spine_format', SPINE_FORMATS, spec.spineFormat)
  const mode = enumValue('mode', JOIN_MODES, spec.mode)
  const format = enumValue('format', DATASET_FORMATS, spec.format)
  const decoded: TrainingSetSpec = {
    featureService: spec.featureService,
    ...(spineFormat === undefined ? {} : { spineFormat }),
    ...(mode === undefined ? {} : { mode }),
    ...(format === undefined ? {} : { format }),
    ...(spec.timestampColumn === '' ? {} : { timestampColumn: spec.timestampColumn }),
    ...(spec.pinJson === '' ? {} : { pinJson: spec.pinJson }),
    ...(spec.spineSource === '' ? {} : { spineSource: spec.spineSource }),
    ...resumeCall(spec.resume),
  }
  return { spec: decoded }
}

export function decodeHistory(bytes: Buffer): HistoryCall {
  const message = historyCodec.decode(bytes)
  return {
    view: message.view,
    entity: message.entity.map(entityColumn),
    limit: message.limit,
    ...optionalBigInt('asOfEventMicros', message.asOfEventMicros),
    ...optionalBigInt('asOfRecordedMicros', message.asOfRecordedMicros),
  }
}

/** Stored values are serialized already: they are spliced in behind the rest of their row. */
export function encodeHistory(answer: HistoryAnswer): Buffer {
  const head = historyAnswerCodec.encode({
    features: answer.features.map((feature) => ({ name: feature.name, type: typeName(feature.type) })),
    truncated: answer.truncated,
    tableVersion: answer.tableVersion,
    fingerprint: answer.fingerprint,
  })
  const rows = answer.rows.map((row) => {
    const rowHead = historyRowCodec.encode({
      eventTimestampMicros: row.eventMicros,
      createdTimestampMicros: row.createdMicros,
      position: row.position,
      origin: row.origin,
    })
    return lengthField(2, Buffer.concat([rowHead, ...row.values.map((value) => lengthField(5, value))]))
  })
  return Buffer.concat([head, ...rows])
}

/** Content is framed by hand: one copy of the bytes instead of two. */
export function encodePart(part: DatasetPart, content: ContentMessages): Buffer {
  switch (part.kind) {
    case 'data':
      return content.message(2, part.bytes)
    case 'rows':
      return content.message(3, part.bytes)
    case 'header':
      return chunkCodec.encode({ header: headerMessage(part.header) })
    case 'trailer':
      return chunkCodec.encode({
        trailer: {
          rows: part.rows,
          sha256: part.sha256,
          pinJson: part.pinJson ?? '',
          manifestJson: part.manifestJson ?? '',
        },
      })
    case 'progress':
      return chunkCodec.encode({ progress: part.progress })
  }
}

function headerMessage(header: DatasetHeader): object {
  return {
    ...header,
    format: `DATASET_FORMAT_${header.format.toUpperCase()}`,
    columns: header.columns.map((column) => ({ name: column.name, type: columnType(column) })),
  }
}

/** Carried-through spine columns can have types that features have not: those keep their DuckDB name in lower case. */
function columnType(column: DatasetColumn): string {
  if (parseTypeName(column.type) !== undefined) return column.type
  const item = column.type.endsWith('[]') ? SCALAR_OF_COLUMN_TYPE[column.type.slice(0, -2)] : undefined
  if (item !== undefined) return `list<${item}>`
  return SCALAR_OF_COLUMN_TYPE[column.type] ?? column.type.toLowerCase()
}

function entityColumn(message: ColumnMessage): EntityColumn {
  const { name } = message
  switch (message.values) {
    case 'int64s':
      return { name, values: message.int64s!.val.map(BigInt) }
    case 'list':
      return { name, values: message.list!.val.map(keyValue) }
    case undefined:
      return { name, values: [] }
    default:
      return { name, values: message[message.values]!.val }
  }
}

/** Types that no join key has come out as what no join key is, so that they are refused by name and row. */
function keyValue(message: ValueMessage): unknown {
  switch (message.val) {
    case 'stringVal':
      return message.stringVal
    case 'int64Val':
      return BigInt(message.int64Val!)
    case 'int32Val':
      return message.int32Val
    case 'nullVal':
    case undefined:
      return null
    default:
      return Symbol(message.val)
  }
}

/** Undefined for the unspecified value, whose name ends so in every enum. */
function enumValue<T>(field: string, values: Readonly<Record<string, T>>, raw: string | number): T | undefined {
  if (typeof raw === 'string' && raw.endsWith('_UNSPECIFIED')) return undefined
  const value = values[raw]
  if (value !== undefined) return value
  throw new TwinstoreError('INVALID_ARGUMENT', `unknown ${field} ${raw}; known are ${Object.keys(values).join(', ')}`)
}

export function optionalBigInt<K extends string>(key: K, raw: string | undefined): { [P in K]?: bigint } {
  return (raw === undefined ? {} : { [key]: BigInt(raw) }) as { [P in K]?: bigint }
}
