/**
 * A finished data set as a stream of parts: progress while it is made, a header, its content, a trailer.
 *
 * Content is read from the file only as fast as the parts are taken, one buffer of `chunkBytes` at a time, so that a slow
 * reader costs no memory. The file is disposed of in every case: read to the end, abandoned midway, failed.
 *
 * Format ROWS is a file of serialized `DatasetRows` messages, each behind a big-endian u32 length. They are passed on as
 * they are; the data set's checksum covers the messages without the lengths, as clients see them.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { TwinstoreError } from '../domain/errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { Dataset, DatasetColumn, DatasetFormat, JobOptions, JobProgress } from '../offline/offline-store.ts'
import { progressOf } from './progress-stream.ts'

export type DatasetPart =
  | { readonly kind: 'progress'; readonly progress: JobProgress }
  | { readonly kind: 'header'; readonly header: DatasetHeader }
  | { readonly kind: 'data'; readonly bytes: Buffer }
  /** One serialized `DatasetRows` message. */
  | { readonly kind: 'rows'; readonly bytes: Buffer }
  | ({ readonly kind: 'trailer'; readonly rows: number; readonly sha256: string } & Provenance)

/** Of a training set: what makes it again, and what there is to say of it. */
interface Provenance {
  readonly pinJson?: string
  readonly manifestJson?: string
}

export interface DatasetHeader {
  readonly format: DatasetFormat
  readonly columns: readonly DatasetColumn[]
  readonly fingerprint: string
  readonly tableVersions: Readonly<Record<string, number>>
  /** The size of the file; 0 with format ROWS. */
  readonly bytes: number
}

/** A data set with what its header and trailer say of where it comes from. */
export interface NamedDataset extends Provenance {
  readonly dataset: Dataset
  readonly format: DatasetFormat
  readonly fingerprint: string
  readonly tableVersions: Readonly<Record<string, number>>
}

export interface DatasetStreamSettings {
  readonly clock: Clock
  /** The size of a content part (option `chunk-bytes`). */
  readonly chunkBytes: number
  /** The least time between two progress parts. */
  readonly progressIntervalMs: number
}

/** A ROWS message beyond this is not one that we wrote. */
const ROWS_MESSAGE_BYTES_MAX = 64 * 1024 * 1024

/** Makes the data set, with the options to pass to the job, and streams it. */
export async function* streamDataset(
  make: (options: JobOptions) => Promise<NamedDataset>,
  signal: AbortSignal,
  settings: DatasetStreamSettings,
): AsyncGenerator<DatasetPart> {
  const made = yield* progressOf<DatasetPart, NamedDataset>(
    (report) => make({ signal, onProgress: (progress) => report({ kind: 'progress', progress }) }),
    (abandoned) => abandoned.dataset.dispose(),
    settings,
  )
  try {
    yield { kind: 'header', header: headerOf(made) }
    if (made.format === 'rows') yield* rowsParts(made.dataset, signal)
    else yield* dataParts(made.dataset, settings.chunkBytes, signal)
    const { pinJson, manifestJson } = made
    yield {
      kind: 'trailer',
      rows: made.dataset.rows,
      sha256: made.dataset.sha256,
      ...(pinJson === undefined ? {} : { pinJson }),
      ...(manifestJson === undefined ? {} : { manifestJson }),
    }
  } finally {
    await made.dataset.dispose()
  }
}

function headerOf(made: NamedDataset): DatasetHeader {
  return {
    format: made.format,
    columns: made.dataset.columns,
    fingerprint: made.fingerprint,
    tableVersions: made.tableVersions,
    bytes: made.format === 'rows' ? 0 : made.dataset.bytes,
  }
}

async function* dataParts(dataset: Dataset, chunkBytes: number, signal: AbortSignal): AsyncGenerator<DatasetPart> {
  const file = await open(dataset.path)
  try {
    for (let at = 0; at < dataset.bytes; ) {
      signal.throwIfAborted()
      const bytes = await readExactly(file, at, Math.min(chunkBytes, dataset.bytes - at))
      at += bytes.length
      yield { kind: 'data', bytes }
    }
  } finally {
    await file.close()
  }
}

async function* rowsParts(dataset: Dataset, signal: AbortSignal): AsyncGenerator<DatasetPart> {
  const file = await open(dataset.path)
  try {
    for (let at = 0; at < dataset.bytes; ) {
      signal.throwIfAborted()
      const length = (await readExactly(file, at, 4)).readUInt32BE(0)
      if (length > ROWS_MESSAGE_BYTES_MAX) throw corrupt(dataset, `a message of ${length} bytes at ${at}`)
      const bytes = await readExactly(file, at + 4, length)
      at += 4 + length
      yield { kind: 'rows', bytes }
    }
  } finally {
    await file.close()
  }
}

async function readExactly(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length)
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, at + done)
    if (bytesRead === 0) throw new TwinstoreError('INTERNAL', `a data set's file ended at byte ${at + done}`)
    done += bytesRead
  }
  return bytes
}

function corrupt(dataset: Dataset, detail: string): TwinstoreError {
  return new TwinstoreError('INTERNAL', `the data set file ${dataset.path} is not made of rows: ${detail}`)
}
