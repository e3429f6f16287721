/** Data sets that the store makes: exports, and training sets with what makes them again. */
import type { KeyValue } from '../domain/entity-key.ts'
import type { Registry } from '../domain/registry.ts'
import type { DatasetColumn, DatasetFile, DatasetFormat, FeatureFigures, JoinMode } from './dataset-jobs.ts'

/** A data set in a temporary file of the store's spool folder; the caller disposes of it when it has been sent. */
export interface Dataset extends DatasetFile {
  /** Name and version of the engine that wrote the bytes; another version may lay out a file differently. */
  readonly engine: string
  dispose(): Promise<void>
}

export interface ExportRequest {
  readonly format: DatasetFormat
  readonly columns?: readonly string[]
  /** Names in the data set for columns of the view, where they differ; other members keep to the view's names. */
  readonly rename?: Readonly<Record<string, string>>
  readonly fromMicros?: number
  readonly untilMicros?: number
  readonly entities?: readonly (readonly KeyValue[])[]
  readonly latestOnly?: boolean
  readonly tableVersion?: number
}

export interface TrainingSetRequest {
  /** A local file with the spine; see `TrainingSetJob`. */
  readonly spineFile: string
  readonly spineFormat: 'parquet' | 'csv' | 'arrow'
  readonly timestampColumn: string
  /** Where a spine without rows is no mistake: one that was made from a table. INVALID_ARGUMENT otherwise. */
  readonly spineMayBeEmpty?: boolean
  readonly mode: JoinMode
  readonly format: DatasetFormat
  /** Versions to read per view name; undefined: the newest of each. */
  readonly tableVersions?: Readonly<Record<string, number>>
  /** The definitions to use; `bundleFile` holds the functions of its on-demand views. */
  readonly registry: Registry
  readonly bundleFile?: string
}

/** Everything that makes a training set's bytes: asked again with the same spine it gives the same file (G5). */
export interface Pin {
  readonly pinFormat: 1
  readonly service: string
  readonly fingerprint: string
  readonly mode: JoinMode
  readonly format: DatasetFormat
  readonly timestampColumn: string
  readonly tables: Readonly<Record<string, number>>
  readonly spine: { readonly sha256: string; readonly rows: number }
  readonly output: { readonly sha256: string; readonly rows: number }
  /** Name and version of the engine that wrote the bytes; another version may lay out a file differently. */
  readonly engine: string
}

/**
 * What an experiment tracker should log of a training set. It has all members of its pin, and can be given in place of it. Equal
 * for equal pins, but for `createdAt`.
 */
export interface Manifest extends Pin {
  readonly manifestFormat: 1
  /** Times are ISO 8601 in UTC, with microseconds. */
  readonly createdAt: string
  readonly spine: Pin['spine'] & { readonly fromTimestamp: string; readonly untilTimestamp: string }
  readonly output: Pin['output'] & { readonly bytes: number; readonly columns: readonly DatasetColumn[] }
  /** Of the views whose older rows could make no difference: from when on their history was read (`history-range.ts`). */
  readonly historyFrom: Readonly<Record<string, string>>
  /** One per feature column, in their order. */
  readonly features: readonly FeatureFigures[]
}

export interface TrainingSet extends Dataset {
  readonly pin: Pin
  readonly manifest: Manifest
}
