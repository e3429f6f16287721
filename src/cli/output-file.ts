/**
 * Writing a data set to a file: under another name (`<file>.partial`) until all of it has arrived and been checked. What an
 * interrupted command leaves there can be gone on with: the token for that is beside it (`<file>.partial.json`).
 */
import { createReadStream, createWriteStream, existsSync } from 'node:fs'
import { access, constants, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, extname } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { DatasetStream, ExportOptions, ResumeFrom } from '../client/index.ts'
import { TwinstoreError } from '../domain/errors.ts'
import { formatBytes, formatRows, note } from './output.ts'

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

/** How a person is told of it. */
export function savedLine(file: string, { rows, bytes, sha256 }: SavedDataset): string {
  return `${file}: ${formatRows(rows)}, ${formatBytes(bytes)}, sha256 ${sha256}`
}

/** Where a data set is until all of it is there, and beside it what the rest can be asked for with. */
function partialOf(path: string): { readonly content: string; readonly state: string } {
  return { content: `${path}.partial`, state: `${path}.partial.json` }
}

/** What an earlier run left of the data set for `path`; undefined if there is nothing that can be gone on with. */
async function partialDataset(path: string): Promise<ResumeFrom | undefined> {
  const { content, state } = partialOf(path)
  const { resumeToken } = parsedObject(await readFile(state, 'utf8').catch(() => '{}'))
  if (typeof resumeToken !== 'string' || !existsSync(content)) return undefined
  return { token: resumeToken, received: createReadStream(content) }
}

/**
 * Writes a data set, which checks itself as it is read, to `path`; with `resumed` behind what is there of it. A failure midway
 * leaves what was at `path` before, and what has arrived in a file of its own, unless it is damaged.
 */
export async function saveDataset(path: string, dataset: DatasetStream, resumed = false): Promise<SavedDataset> {
  const { content, state } = partialOf(path)
  const { resumeToken } = dataset.info
  try {
    if (!resumed) {
      // First what an earlier run left: its bytes must not stand beside this token.
      await removePartial(path)
      await writeFile(state, JSON.stringify({ resumeToken }))
    }
    const file = createWriteStream(content, { flags: resumed ? 'a' : 'w' })
    await pipeline(Readable.from(dataset, { objectMode: false }), file)
    await rename(content, path)
  } catch (error) {
    const damaged = error instanceof TwinstoreError && error.code === 'DATA_LOSS'
    if (damaged || resumeToken === '') await removePartial(path)
    else note(`what has arrived is kept in ${content}; the same command with --resume gets the rest`)
    throw isSystemError(error) ? unwritten(path, error) : error
  }
  await removePartial(path)
  const { trailer, info } = dataset
  if (trailer === undefined) throw new TwinstoreError('DATA_LOSS', `${path}: the data set ended without its trailer`)
  return { ...trailer, bytes: info.bytes }
}

async function removePartial(path: string): Promise<void> {
  const { content, state } = partialOf(path)
  await rm(content, { force: true })
  await rm(state, { force: true })
}

function parsedObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
  } catch {
    return {}
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error
}

/** A full disk is the caller's to mend, and no internal error. */
function unwritten(path: string, error: NodeJS.ErrnoException): TwinstoreError {
  return new TwinstoreError('FAILED_PRECONDITION', `${path} could not be written: ${error.message}`, { cause: error })
}

/** `--resume` of a command that writes a data set to `path`, and what the client is told of it. */
export async function resumeOptions(
  path: string,
  wanted: boolean | undefined,
): Promise<Pick<ExportOptions, 'resume' | 'onBroken'>> {
  const resume = wanted === true ? await partialDataset(path) : undefined
  if (wanted === true && resume === undefined) note(`nothing is left of an earlier ${path}; beginning anew`)
  return {
    ...(resume === undefined ? {} : { resume }),
    onBroken: ({ bytes, error }) =>
      note(`the connection broke after ${formatBytes(bytes)} (${error.message.split('\n')[0]}); asking for the rest`),
  }
}
