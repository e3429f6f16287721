/**
 * Encoded rows in a file, on their way between the server and a job: for each row, big-endian u32 key length, u32 row
 * length, the row key (latin-1) and the row's bytes.
 *
 * A file and not a message: a message is serialized in one go on the serving event loop, and is in memory of both processes
 * at once. The file is written a piece at a time, with other work in between, and is in the page cache only: it is not
 * flushed, because nobody needs it after a crash.
 *
 * A job may read the file while it is still written, so that the server and the job use a core each. The end of what is there is
 * then not the end of the rows: a second file beside it, written last, says how many bytes there are.
 */
import { type FileHandle, open, readFile, writeFile } from 'node:fs/promises'
import { TwinstoreError } from '../domain/errors.ts'
import { pause } from '../lib/pause.ts'

/** Packing a piece takes about a millisecond; reading one, with its rows decoded, ten. */
const PIECE_BYTES = 1 << 20
export const RECORD_HEAD_BYTES = 8
const LOOP_CHARACTERS_MAX = 64
/** Between two looks of a reader that has caught up with the writer: a piece is written in about this time. */
const LOOK_INTERVAL_MS = 2

export interface SpooledRow {
  readonly key: string
  readonly row: Uint8Array
}

/** Writes the rows in order to a new file. */
export async function writeRowSpool(path: string, batches: Iterable<readonly SpooledRow[]>): Promise<void> {
  await whileSpooling(path, batches, async () => {})
}

/**
 * Writes the rows in order to a new file, while `work` reads them by `growingRowSpoolPieces`. Of the two, the first that fails
 * stops the other one by the signal, and its error is thrown when both have ended.
 */
export async function whileSpooling<T>(
  path: string,
  batches: Iterable<readonly SpooledRow[]>,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const file = await open(path, 'wx')
  const failed = new AbortController()
  const { signal } = failed
  const noted = async <R>(result: Promise<R>): Promise<R> => {
    try {
      return await result
    } catch (error) {
      failed.abort(error)
      throw error
    }
  }
  const written = noted(writePieces(file, path, batches, signal))
  const worked = noted(work(signal))
  await Promise.allSettled([written, worked])
  signal.throwIfAborted()
  return await worked
}

async function writePieces(
  file: FileHandle,
  path: string,
  batches: Iterable<readonly SpooledRow[]>,
  signal: AbortSignal,
): Promise<void> {
  let bytes = 0
  try {
    for (const piece of packed(batches)) {
      if (signal.aborted) return
      await file.writeFile(piece)
      bytes += piece.length
    }
  } finally {
    await file.close()
  }
  await writeFile(sizePath(path), String(bytes))
}

/** The file that says how long the whole one is. */
function sizePath(path: string): string {
  return `${path}.size`
}

/** Pieces of about `PIECE_BYTES`, the last record of each beyond it; the memory of a piece is used again for the next. */
function* packed(batches: Iterable<readonly SpooledRow[]>): Generator<Buffer> {
  let piece = Buffer.allocUnsafe(PIECE_BYTES + (PIECE_BYTES >> 3))
  let used = 0
  for (const batch of batches) {
    for (const { key, row } of batch) {
      const end = used + RECORD_HEAD_BYTES + key.length + row.length
      if (end > piece.length) piece = Buffer.concat([piece], end)
      writeRecord(piece, used, key, row)
      used = end
      if (used < PIECE_BYTES) continue
      yield piece.subarray(0, used)
      used = 0
    }
  }
  if (used > 0) yield piece.subarray(0, used)
}

function writeRecord(piece: Buffer, at: number, key: string, row: Uint8Array): void {
  piece.writeUInt32BE(key.length, at)
  piece.writeUInt32BE(row.length, at + 4)
  const keyAt = at + RECORD_HEAD_BYTES
  // A call into native code costs more than the characters of a usual key.
  if (key.length > LOOP_CHARACTERS_MAX) piece.write(key, keyAt, 'latin1')
  else for (let index = 0; index < key.length; index++) piece[keyAt + index] = key.charCodeAt(index)
  piece.set(row, keyAt + key.length)
}

/** The file in pieces that hold whole records only. A piece is good until the next is asked for. */
export function rowSpoolPieces(path: string): AsyncGenerator<Buffer> {
  return piecesOf(path, async () => false)
}

/** The same of a file that `whileSpooling` or `writeRowSpool` writes or has written; waits for what is still to come. */
export function growingRowSpoolPieces(path: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  let size: number | undefined
  return piecesOf(path, async (bytes) => {
    if (signal.aborted) throw new TwinstoreError('CANCELLED', 'the work was cancelled')
    if (size === undefined) {
      size = await wholeSize(path)
      if (size === undefined) await pause(LOOK_INTERVAL_MS)
      // The rest may have come after the file was read and before its size was.
      return true
    }
    if (bytes !== size) throw new TwinstoreError('INTERNAL', `${path} has ${bytes} bytes where ${size} were written`)
    return false
  })
}

/** Undefined while the file is written: the size is not there, or is there without its text. */
async function wholeSize(path: string): Promise<number | undefined> {
  try {
    const text = await readFile(sizePath(path), 'latin1')
    return text === '' ? undefined : Number(text)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** `isGrowing` is asked at the end of what is there, with how many bytes that is. */
async function* piecesOf(path: string, isGrowing: (bytes: number) => Promise<boolean>): AsyncGenerator<Buffer> {
  const file = await open(path)
  try {
    let piece = Buffer.allocUnsafe(2 * PIECE_BYTES)
    let held = 0
    let bytes = 0
    for (;;) {
      const { bytesRead } = await file.read(piece, held, piece.length - held)
      if (bytesRead === 0) {
        if (await isGrowing(bytes)) continue
        break
      }
      bytes += bytesRead
      held += bytesRead
      const whole = wholeRecords(piece, held)
      if (whole > 0) yield piece.subarray(0, whole)
      else if (held === piece.length) piece = Buffer.concat([piece], 2 * piece.length)
      piece.copyWithin(0, whole, held)
      held -= whole
    }
    if (held > 0) throw new TwinstoreError('INTERNAL', `${path} ends within a row`)
  } finally {
    await file.close()
  }
}

/** The bytes of the records that are complete within the first `held` bytes. */
function wholeRecords(piece: Buffer, held: number): number {
  let at = 0
  while (at + RECORD_HEAD_BYTES <= held) {
    const end = at + RECORD_HEAD_BYTES + piece.readUInt32BE(at) + piece.readUInt32BE(at + 4)
    if (end > held) break
    at = end
  }
  return at
}

/** The rows of a piece, as copies, so that they are good when the piece is not any more. */
export function* rowsOfPiece(piece: Buffer): Generator<{ readonly key: string; readonly row: Buffer }> {
  for (let at = 0; at < piece.length; ) {
    const keyFrom = at + RECORD_HEAD_BYTES
    const rowFrom = keyFrom + piece.readUInt32BE(at)
    const rowTo = rowFrom + piece.readUInt32BE(at + 4)
    yield { key: piece.toString('latin1', keyFrom, rowFrom), row: Buffer.from(piece.subarray(rowFrom, rowTo)) }
    at = rowTo
  }
}
