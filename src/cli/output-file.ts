/** Writing a data set to a file: under a temporary name until all of it has arrived and been checked. */
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { extname } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { DatasetStream } from '../client/index.ts'
import { TwinstoreError } from '../domain/errors.ts'

export type FileFormat = 'parquet' | 'arrow' | 'csv'

const EXTENSIONS: Readonly<Record<string, FileFormat>> = {
  '.parquet': 'parquet',
  '.csv': 'csv',
  '.arrow': 'arrow',
  '.arrows': 'arrow',
}

/** The format that `--format` names, or else the one of the file's extension. */
export function fileFormat(flag: string, path: string, given: string | undefined): FileFormat {
  const format = given === undefined ? EXTENSIONS[extname(path).toLowerCase()] : given
  if (format === 'parquet' || format === 'csv' || format === 'arrow') return format
  const problem =
    given === undefined ? `${path} has no extension that tells the format` : `${JSON.stringify(given)} is no format`
  throw new TwinstoreError('INVALID_ARGUMENT', `${flag}: ${problem}; formats are parquet, csv and arrow`)
}

export interface SavedDataset {
  readonly rows: number
  readonly bytes: number
  readonly sha256: string
  readonly pinJson?: string
}

/** Writes a data set, which checks itself as it is read, to `path`; a failure midway leaves what was there before. */
export async function saveDataset(path: string, dataset: DatasetStream): Promise<SavedDataset> {
  const partial = `${path}.partial`
  try {
    await pipeline(Readable.from(dataset, { objectMode: false }), createWriteStream(partial))
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
  const { trailer, info } = dataset
  if (trailer === undefined) throw new TwinstoreError('DATA_LOSS', `${path}: the data set ended without its trailer`)
  return { ...trailer, bytes: info.bytes }
}
