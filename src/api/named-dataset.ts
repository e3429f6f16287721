import type { Dataset, DatasetFormat } from '../offline/offline-store.ts'

/** Of a training set: what makes it again, and what there is to say of it. */
export interface Provenance {
  readonly pinJson?: string
  readonly manifestJson?: string
}

/** A data set with what its header and trailer say of where it comes from. */
export interface NamedDataset extends Provenance {
  readonly dataset: Dataset
  readonly format: DatasetFormat
  readonly fingerprint: string
  readonly tableVersions: Readonly<Record<string, number>>
  /** Of an export of a service: the version of the table whose rows are its spine. */
  readonly spineTableVersion?: number
}
