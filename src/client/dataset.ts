/**
 * A data set on its way in: its header first, then its bytes as they are taken, checked at the end against the trailer.
 * A reader that takes its time slows the server down and nothing else.
 */
import { createHash } from 'node:crypto'
import type { ColumnSchema } from '../domain/description.ts'
import { TwinstoreError } from '../domain/errors.ts'
import { WireReader } from '../lib/wire.ts'
import { decodeMessage, readingAnswer } from './protocol.ts'
import type { DuplexCall, ReadCall, Transport } from './transport.ts'

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

interface ChunkMessage {
  readonly header?: {
    readonly format: string
    readonly columns: readonly ColumnSchema[]
    readonly fingerprint: string
    readonly tableVersions: Readonly<Record<string, string>>
    readonly bytes: string
  }
  readonly trailer?: {
    readonly rows: string
    readonly sha256: string
    readonly pinJson: string
    readonly manifestJson: string
  }
  readonly progress?: Progress
}

const DATA_FIELD = 2
const ROWS_FIELD = 3

/** Resolves when the header is there. */
export async function openDataset(
  call: ReadCall | DuplexCall,
  transport: Transport,
  onProgress: ((progress: Progress) => void) | undefined,
): Promise<DatasetStream> {
  const chunks = call[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  const info = await readHeader(chunks, transport, onProgress)
  let trailer: DatasetTrailer | undefined
  return {
    info,
    get trailer() {
      return trailer
    },
    cancel: () => call.cancel(),
    async *[Symbol.asyncIterator]() {
      try {
        trailer = yield* checkedContent(chunks, info, transport)
      } finally {
        if (trailer === undefined) call.cancel()
      }
    },
  }
}

async function readHeader(
  chunks: AsyncIterator<Buffer>,
  transport: Transport,
  onProgress: ((progress: Progress) => void) | undefined,
): Promise<DatasetInfo> {
  for (;;) {
    const { header, progress } = decodeMessage<ChunkMessage>('DatasetChunk', await nextChunk(chunks, transport))
    if (progress !== undefined) onProgress?.(progress)
    if (header === undefined) continue
    return {
      format: header.format.replace('DATASET_FORMAT_', '').toLowerCase() as DatasetInfo['format'],
      columns: header.columns,
      fingerprint: header.fingerprint,
      tableVersions: Object.fromEntries(
        Object.entries(header.tableVersions).map(([view, version]) => [view, Number(version)]),
      ),
      bytes: Number(header.bytes),
    }
  }
}

async function* checkedContent(
  chunks: AsyncIterator<Buffer>,
  info: DatasetInfo,
  transport: Transport,
): AsyncGenerator<Buffer, DatasetTrailer> {
  const hash = createHash('sha256')
  let bytes = 0
  let rows = 0
  for (;;) {
    const chunk = await nextChunk(chunks, transport)
    const reader = new WireReader(chunk)
    reader.next()
    if (reader.field !== DATA_FIELD && reader.field !== ROWS_FIELD) {
      const { trailer } = decodeMessage<ChunkMessage>('DatasetChunk', chunk)
      if (trailer === undefined) continue
      checkEnd(trailer, info, { bytes, rows, sha256: hash.digest('hex') })
      await expectEnd(chunks, transport)
      return {
        rows: Number(trailer.rows),
        sha256: trailer.sha256,
        ...(trailer.pinJson === '' ? {} : { pinJson: trailer.pinJson }),
        ...(trailer.manifestJson === '' ? {} : { manifestJson: trailer.manifestJson }),
      }
    }
    const content = reader.readBytes()
    hash.update(content)
    bytes += content.length
    if (reader.field === ROWS_FIELD) rows += readingAnswer(() => countRows(content))
    yield content
  }
}

function checkEnd(
  trailer: NonNullable<ChunkMessage['trailer']>,
  info: DatasetInfo,
  got: { readonly bytes: number; readonly rows: number; readonly sha256: string },
): void {
  const whole = info.format === 'rows' ? String(got.rows) === trailer.rows : got.bytes === info.bytes
  if (whole && got.sha256 === trailer.sha256) return
  throw new TwinstoreError(
    'DATA_LOSS',
    `the data set arrived damaged: ${got.bytes} bytes with SHA-256 ${got.sha256}; the server sent ` +
      `${info.format === 'rows' ? `${trailer.rows} rows` : `${info.bytes} bytes`} with ${trailer.sha256}`,
  )
}

/** `repeated DatasetRow rows = 1`. */
function countRows(message: Buffer): number {
  let rows = 0
  const reader = new WireReader(message)
  while (reader.next()) {
    if (reader.field === 1) rows++
    reader.skip()
  }
  return rows
}

/** The status comes after the trailer, and only an OK one means that all went well. */
async function expectEnd(chunks: AsyncIterator<Buffer>, transport: Transport): Promise<void> {
  try {
    await chunks.next()
  } catch (error) {
    throw transport.error(error)
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
