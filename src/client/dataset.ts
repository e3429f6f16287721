/**
 * A data set on its way in: its header first, then its bytes as they are taken, checked at the end against the trailer.
 * A reader that takes its time slows the server down and nothing else.
 *
 * When the connection breaks, the rest is asked for with the token of the header, after a pause and as long as the retry budget
 * allows; the reader notices nothing but the time. The checksum runs over all bytes, however many streams brought them.
 */
import type { ColumnSchema } from '../domain/description.ts'
import { type ErrorCode, TwinstoreError } from '../domain/errors.ts'
import { WireReader } from '../lib/wire.ts'
import type { ReceivedContent } from './dataset-content.ts'
import { decodeMessage } from './protocol.ts'
import type { CallOptions, DuplexCall, ReadCall, Transport } from './transport.ts'

export interface Progress {
  readonly step: string
  /** 0 to 1, where it is known. */
  readonly fraction?: number
}

export interface DatasetInfo {
  readonly format: 'parquet' | 'arrow' | 'csv' | 'rows'
  readonly columns: readonly ColumnSchema[]
  /** Of the registry it was made with. */
  readonly fingerprint: string
  /** By view. */
  readonly tableVersions: Readonly<Record<string, number>>
  /** The size of the file; 0 with format `rows`. */
  readonly bytes: number
  /** With it the rest can be asked for later, and elsewhere; empty from a server that cannot do that. */
  readonly resumeToken: string
}

export interface DatasetTrailer {
  readonly rows: number
  readonly sha256: string
  /** Of a training set: what reproduces it. */
  readonly pinJson?: string
  /** Of a training set: what an experiment tracker should log of it. It can be given in place of the pin. */
  readonly manifestJson?: string
}

/**
 * The bytes of the file in order; with format `rows`, serialized `DatasetRows` messages. To be iterated once, or
 * cancelled. The iteration throws DATA_LOSS if what came is not what the server sent.
 */
export interface DatasetStream extends AsyncIterable<Buffer> {
  readonly info: DatasetInfo
  /** Undefined until the iteration has ended. */
  readonly trailer: DatasetTrailer | undefined
  cancel(): void
}

/** The data set of an earlier call of the same request, of which the beginning is there already. */
export interface ResumeFrom {
  /** `DatasetInfo.resumeToken` of that call. */
  readonly token: string
  /** The bytes that are there (for example `fs.createReadStream(...)`), for the checksum; with format `rows` message by message. */
  readonly received: AsyncIterable<Uint8Array>
}

/** `Resume` in a request. */
export interface ResumeMessage {
  readonly token: string
  readonly receivedBytes: string
}

export interface DatasetOptions extends CallOptions {
  readonly onProgress?: ((progress: Progress) => void) | undefined
  readonly resume?: ResumeFrom | undefined
  /** Called when a broken stream is about to be resumed. */
  readonly onBroken?: ((received: { readonly bytes: number; readonly error: TwinstoreError }) => void) | undefined
}

export interface DatasetCall {
  /** Begins a call, from the beginning or from where `resume` says. */
  begin(resume: ResumeMessage | undefined, options: CallOptions): ReadCall | DuplexCall
  /** Whether it may be begun again after it failed. */
  readonly repeatable: boolean
}

interface HeaderMessage {
  readonly format: string
  readonly columns: readonly ColumnSchema[]
  readonly fingerprint: string
  readonly tableVersions: Readonly<Record<string, string>>
  readonly bytes: string
  readonly resumeToken: string
}

interface ChunkMessage {
  readonly header?: HeaderMessage
  readonly trailer?: {
    readonly rows: string
    readonly sha256: string
    readonly pinJson: string
    readonly manifestJson: string
  }
  readonly progress?: Progress
}

/** What a stream ends with when its connection is lost, and when its server goes away before it was read to its end. */
const BROKEN: readonly ErrorCode[] = ['UNAVAILABLE', 'CANCELLED']

const DATA_FIELD = 2
const ROWS_FIELD = 3

/** Resolves when the header is there. `content` is what is there already (`receivedContent`). */
export async function openDataset(
  call: DatasetCall,
  transport: Transport,
  options: DatasetOptions,
  content: ReceivedContent,
): Promise<DatasetStream> {
  const left = transport.remaining(options)
  const open = (token: string | undefined): Promise<OpenStream> => {
    const resume = token === undefined ? undefined : { token, receivedBytes: String(content.bytes) }
    return openStream(call.begin(resume, left()), transport, options.onProgress)
  }
  const first = () => open(options.resume?.token)
  let stream = await (call.repeatable ? transport.retrying(first, left) : first())
  const { info } = stream
  let trailer: DatasetTrailer | undefined
  let cancelled = false
  const again = async (broken: unknown): Promise<void> => {
    const error = transport.error(broken)
    if (cancelled || !BROKEN.includes(error.code) || info.resumeToken === '') throw error
    options.onBroken?.({ bytes: content.bytes, error })
    stream = await transport.afterBreak(error, () => open(info.resumeToken), left)
    if (cancelled) stream.call.cancel()
  }
  return {
    info,
    get trailer() {
      return trailer
    },
    cancel: () => {
      cancelled = true
      stream.call.cancel()
    },
    async *[Symbol.asyncIterator]() {
      try {
        for (;;) {
          const part = await nextPart(stream, transport).catch(again)
          if (part === undefined) continue
          if ('trailer' in part) {
            content.check(part.trailer, info)
            await expectEnd(stream, transport)
            trailer = trailerOf(part.trailer)
            return
          }
          content.add(part.bytes, part.isRows)
          transport.progressed()
          yield part.bytes
        }
      } finally {
        if (trailer === undefined) stream.call.cancel()
      }
    },
  }
}

interface OpenStream {
  readonly call: ReadCall | DuplexCall
  readonly chunks: AsyncIterator<Buffer>
  readonly info: DatasetInfo
}

async function openStream(
  call: ReadCall | DuplexCall,
  transport: Transport,
  onProgress: DatasetOptions['onProgress'],
): Promise<OpenStream> {
  const chunks = call[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  for (;;) {
    const { header, progress } = decodeMessage<ChunkMessage>('DatasetChunk', await nextChunk(chunks, transport))
    if (progress !== undefined) onProgress?.(progress)
    if (header !== undefined) return { call, chunks, info: infoOf(header) }
  }
}

function infoOf(header: HeaderMessage): DatasetInfo {
  return {
    format: header.format.replace('DATASET_FORMAT_', '').toLowerCase() as DatasetInfo['format'],
    columns: header.columns,
    fingerprint: header.fingerprint,
    tableVersions: Object.fromEntries(
      Object.entries(header.tableVersions).map(([view, version]) => [view, Number(version)]),
    ),
    bytes: Number(header.bytes),
    resumeToken: header.resumeToken,
  }
}

type Part =
  | { readonly bytes: Buffer; readonly isRows: boolean }
  | { readonly trailer: NonNullable<ChunkMessage['trailer']> }

/** Undefined for a part that is neither content nor the end. */
async function nextPart(stream: OpenStream, transport: Transport): Promise<Part | undefined> {
  const chunk = await nextChunk(stream.chunks, transport)
  const reader = new WireReader(chunk)
  reader.next()
  if (reader.field === DATA_FIELD || reader.field === ROWS_FIELD) {
    return { bytes: reader.readBytes(), isRows: reader.field === ROWS_FIELD }
  }
  const { trailer } = decodeMessage<ChunkMessage>('DatasetChunk', chunk)
  return trailer && { trailer }
}

function trailerOf(message: NonNullable<ChunkMessage['trailer']>): DatasetTrailer {
  const { rows, sha256, pinJson, manifestJson } = message
  return {
    rows: Number(rows),
    sha256,
    ...(pinJson === '' ? {} : { pinJson }),
    ...(manifestJson === '' ? {} : { manifestJson }),
  }
}

/**
 * The status comes after the trailer, and a failure in it is one of the data set. A connection that is lost before the status takes
 * nothing from what has arrived and been checked.
 */
async function expectEnd(stream: OpenStream, transport: Transport): Promise<void> {
  try {
    await stream.chunks.next()
  } catch (error) {
    const ended = transport.error(error)
    if (!BROKEN.includes(ended.code)) throw ended
  }
}

async function nextChunk(chunks: AsyncIterator<Buffer>, transport: Transport): Promise<Buffer> {
  try {
    const next = await chunks.next()
    if (!next.done) return next.value
  } catch (error) {
    throw transport.error(error)
  }
  throw new TwinstoreError('DATA_LOSS', 'the data set ended before its trailer')
}
