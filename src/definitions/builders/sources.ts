/** Batch sources: SQL over files. */
import { DECLARED, type Declared, type FileDeclaration, type SqlDeclaration } from './declarations.ts'

export type FileSource = Declared<FileDeclaration>
export type SqlFragment = Declared<SqlDeclaration>

export interface FileOptions {
  /**
   * Where the file is, if not at its name in the definitions folder: a path (relative to that folder, or absolute), or
   * `npm:<package>/<path>` for a file of an installed npm package.
   */
  readonly at?: string
  /** Taken from the extension unless given. */
  readonly format?: 'parquet' | 'csv'
}

/** A Parquet or CSV file that SQL reads. People refer to it by `name`, for example `flights.parquet`. */
export function file(name: string, options?: FileOptions): FileSource {
  return { [DECLARED]: { kind: 'file', name, options } }
}

/**
 * SQL in DuckDB's dialect, as a tagged template. Only files and other pieces of `sql` can be put in: a value put in as
 * text would be neither quoted nor part of what the fingerprint says. Backslashes are kept as written.
 */
export function sql(texts: TemplateStringsArray, ...values: readonly (FileSource | SqlFragment)[]): SqlFragment {
  const written = texts.raw.map((text) => text.replaceAll('\\`', '`').replaceAll('\\${', '${'))
  return { [DECLARED]: { kind: 'sql', texts: written, values } }
}
