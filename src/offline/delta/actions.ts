/**
 * The actions of a Delta log that Twinstore reads and writes, with the protocol's own field names
 * (https://github.com/delta-io/delta/blob/master/PROTOCOL.md, "Actions"), except that `path` is kept decoded here: a path
 * in the object store, relative to the table. `log-entry.ts` translates.
 */
export type Action =
  | { readonly protocol: Protocol }
  | { readonly metaData: Metadata }
  | { readonly add: AddFile }
  | { readonly remove: RemoveFile }
  | { readonly txn: Transaction }
  | { readonly commitInfo: CommitInfo }

export interface Protocol {
  readonly minReaderVersion: number
  readonly minWriterVersion: number
  readonly readerFeatures?: readonly string[]
  readonly writerFeatures?: readonly string[]
}

export interface Metadata {
  /** A UUID; never changes in a table's life. */
  readonly id: string
  readonly name?: string
  readonly description?: string
  readonly format: { readonly provider: string; readonly options: Readonly<Record<string, string>> }
  /** The schema as JSON; see `schema.ts`. */
  readonly schemaString: string
  readonly partitionColumns: readonly string[]
  readonly configuration: Readonly<Record<string, string>>
  /** Milliseconds since 1970. */
  readonly createdTime?: number
}

export type PartitionValues = Readonly<Record<string, string | null>>

export interface AddFile {
  readonly path: string
  readonly partitionValues: PartitionValues
  /** Bytes. */
  readonly size: number
  /** Milliseconds since 1970. */
  readonly modificationTime: number
  /** False where the file only rearranges rows that the table already had. */
  readonly dataChange: boolean
  /** JSON; see `file-stats.ts`. */
  readonly stats?: string
  /** Notes of whoever added the file; other engines carry or ignore them. */
  readonly tags?: Readonly<Record<string, string>>
}

export interface RemoveFile {
  readonly path: string
  readonly dataChange: boolean
  /** Milliseconds since 1970. */
  readonly deletionTimestamp?: number
}

/** How far an application is; it is in the table together with what it added, or not at all. */
export interface Transaction {
  readonly appId: string
  readonly version: number
  /** Milliseconds since 1970. */
  readonly lastUpdated?: number
}

/** Who committed what. Twinstore relies on its own `txnId` and `actionCount`; anything may be missing in others' entries. */
export interface CommitInfo {
  /** Milliseconds since 1970. */
  readonly timestamp?: number
  readonly operation?: string
  readonly operationParameters?: Readonly<Record<string, string>>
  readonly engineInfo?: string
  readonly readVersion?: number
  /** Tells this commit from every other, so that a writer finds out whether its own attempt landed. */
  readonly txnId?: string
  /** How many actions the entry has besides this one, so that an entry cut off between two lines is noticed. */
  readonly actionCount?: number
}
