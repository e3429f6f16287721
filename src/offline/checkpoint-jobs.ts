/** The jobs that turn a checkpoint of a table's log into Parquet and back. What its actions mean is the caller's. */

/** Writes the actions of `actionsFile`, a line of JSON each, as a Parquet file with a column per kind of action. */
export interface CheckpointWriteJob {
  readonly input: {
    readonly actionsFile: string
    readonly outputFile: string
    /** No line has more bytes, its end included. */
    readonly lineBytesMax: number
    /** Kept in the file, to be given back when it is read. */
    readonly checksum: string
  }
  readonly output: { readonly bytes: number }
}

/** Writes the actions of a checkpoint's Parquet files, of whichever engine, to `outputFile` as lines of JSON. */
export interface CheckpointReadJob {
  readonly input: { readonly files: readonly string[]; readonly outputFile: string }
  /** The checksum it was written with; undefined if its writer gave none. */
  readonly output: { readonly checksum?: string }
}
