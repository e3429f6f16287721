/**
 * A finished data set as a stream of parts: progress while it is made, a header, its content, a trailer.
 *
 * Content is read from the file only as fast as the parts are taken, one buffer of `chunkBytes` at a time, so that a slow
 * reader costs no memory. A stream that did not come to its end leaves the file for a while (`kept-datasets.ts`): its reader
 * comes back with the token of the header and gets the rest. The checksum and row count at the end are of the whole.
 */
import { randomUUID } from 'node:crypto'
import type { DatasetColumn, DatasetFormat, JobOptions, JobProgress } from '../offline/offline-store.ts'
import type { CallContext } from './call-context.ts'
import { type ContentPart, dataParts, rowsParts } from './dataset-content.ts'
import type { KeptDatasets, KeptDatasetsSettings } from './kept-datasets.ts'
import type { NamedDataset, Provenance } from './named-dataset.ts'
import { progressOf } from './progress-stream.ts'
import { encodeToken, type ResumePoint, refuseOtherBytes } from './resume-token.ts'

export type DatasetPart =
  | { readonly kind: 'progress'; readonly progress: JobProgress }
  | { readonly kind: 'header'; readonly header: DatasetHeader }
  | ContentPart
  | ({ readonly kind: 'trailer'; readonly rows: number; readonly sha256: string } & Provenance)

export interface DatasetHeader {
  readonly format: DatasetFormat
  readonly columns: readonly DatasetColumn[]
  readonly fingerprint: string
  readonly tableVersions: Readonly<Record<string, number>>
  /** The size of the file; 0 with format ROWS. */
  readonly bytes: number
  readonly rows: number
  /** SHA-256 of the whole, hex; with format ROWS, of the messages. */
  readonly sha256: string
  readonly resumeToken: string
}

export interface DatasetSource {
  /** Digest of what was asked for (`resume-token.ts`). */
  readonly asked: string
  /** Absent: from the beginning. */
  readonly resume?: ResumePoint | undefined
  /** Makes the data set, with the options to pass to the job; if it is resumed, at the versions of its token. */
  readonly make: (options: JobOptions) => Promise<NamedDataset>
}

export interface DatasetStreamSettings extends KeptDatasetsSettings {
  /** The size of a content part (option `chunk-bytes`). */
  readonly chunkBytes: number
  /** The least time between two progress parts. */
  readonly progressIntervalMs: number
}

export async function* streamDataset(
  source: DatasetSource,
  kept: KeptDatasets,
  context: CallContext,
  settings: DatasetStreamSettings,
): AsyncGenerator<DatasetPart> {
  const id = source.resume?.token.id ?? randomUUID()
  const lent = kept.lend(id) ?? kept.add(id, yield* madeNow(source, context.signal, settings))
  let complete = false
  try {
    const { made } = lent
    yield { kind: 'header', header: headerOf(made, id, source.asked) }
    const from = source.resume?.receivedBytes ?? 0
    if (made.format === 'rows') yield* rowsParts(made.dataset, from, context)
    else yield* dataParts(made.dataset, from, settings.chunkBytes, context)
    const { pinJson, manifestJson } = made
    yield {
      kind: 'trailer',
      rows: made.dataset.rows,
      sha256: made.dataset.sha256,
      ...(pinJson === undefined ? {} : { pinJson }),
      ...(manifestJson === undefined ? {} : { manifestJson }),
    }
    complete = true
  } finally {
    await lent.release(complete)
  }
}

async function* madeNow(
  { make, resume }: DatasetSource,
  signal: AbortSignal,
  settings: DatasetStreamSettings,
): AsyncGenerator<DatasetPart, NamedDataset> {
  const made = yield* progressOf<DatasetPart, NamedDataset>(
    (report) => make({ signal, onProgress: (progress) => report({ kind: 'progress', progress }) }),
    (abandoned) => abandoned.dataset.dispose(),
    settings,
  )
  try {
    if (resume !== undefined) refuseOtherBytes(resume.token, made.dataset)
    return made
  } catch (error) {
    await made.dataset.dispose()
    throw error
  }
}

function headerOf(made: NamedDataset, id: string, asked: string): DatasetHeader {
  const { dataset, format, fingerprint, tableVersions, spineTableVersion, pinJson } = made
  const resumeToken = encodeToken({
    tokenFormat: 1,
    id,
    asked,
    fingerprint,
    tables: tableVersions,
    ...(spineTableVersion === undefined ? {} : { spineTable: spineTableVersion }),
    ...(pinJson === undefined ? {} : { pinJson }),
    sha256: dataset.sha256,
    rows: dataset.rows,
    engine: dataset.engine,
  })
  const bytes = format === 'rows' ? 0 : dataset.bytes
  const { columns, rows, sha256 } = dataset
  return { format, columns, fingerprint, tableVersions, bytes, rows, sha256, resumeToken }
}
