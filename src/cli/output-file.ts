/** Writing a data set to a file: under a temporary name until all of it has arrived and been checked. */
import { createWriteStream } from 'node:fs'
import { access, constants, rename, rm } from 'node:fs/promises'
import { dirname, extname } from 'node:path'
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

/** Refuses a file that cannot be written, before any work is done for it. */
export async function refuseUnwritable(flag: string, path: string): Promise<void> {
  const folder = dirname(path)
  try {
    await access(folder, constants.W_OK)
  } catch (error) {
    const message = `${flag}: the folder ${folder} does not exist or cannot be written to`
    throw new TwinstoreError('NOT_FOUND', message, { cause: error })
  }
}

export interface SavedDataset {
  readonly rows: number
  readonly bytes: number
  readonly sha256: string
  readonly pinJson?: string
  readonly manifestJson?: string
}

/** Writes a data set, which checks itself as it is read, to `path`; a failure midway leaves what was there before. */
export async function saveDataset(path: string, dataset: DatasetStream): Promise<SavedDataset> {
  const partial = `${path}.partial`
  try {
    await pipeline(Readable.from(dataset, { objectMode: false }), createWriteStream(partial))
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    throw isSystemError(error) ? unwritten(path, error) : error
  }
  const { trailer, info } = dataset
  if (trailer === undefined) throw new TwinstoreError('DATA_LOSS', `${path}: the data set ended without its trailer`)
  return { ...trailer, bytes: info.bytes }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error
}

/** A full disk is the caller's to mend, and no internal error. */
function unwritten(path: string, error: NodeJS.ErrnoException): TwinstoreError {
  return new TwinstoreError('FAILED_PRECONDITION', `${path} could not be written: ${error.message}`, { cause: error })
}
