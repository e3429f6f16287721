/** Pieces of local files as bodies of requests: streamed, so that no more of them is in memory than is under way. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'

/** Bytes `from` up to, not including, `until` of a file. */
export interface FilePiece {
  readonly file: string
  readonly from: number
  readonly until: number
}

const READ_BYTES = 256 * 1024

/** A new stream for each attempt, to be destroyed by who made it. The piece is not empty. */
function openPiece(piece: FilePiece): Readable {
  return createReadStream(piece.file, { start: piece.from, end: piece.until - 1, highWaterMark: READ_BYTES })
}

/** For `Content-MD5`, by which the store refuses a body that was damaged on its way; no defence against anybody. */
export async function md5Of(piece: FilePiece): Promise<string> {
  const hash = createHash('md5')
  if (piece.until > piece.from) for await (const chunk of openPiece(piece)) hash.update(chunk as Buffer)
  return hash.digest('base64')
}

/** Sends a piece of a file as the body of a request. */
export async function withBody<T>(piece: FilePiece, send: (body: Readable | Buffer) => Promise<T>): Promise<T> {
  if (sizeOf(piece) === 0) return send(Buffer.alloc(0))
  const body = openPiece(piece)
  // A file that cannot be read breaks the request; the stream's own error is told by it.
  body.on('error', () => undefined)
  try {
    return await send(body)
  } finally {
    body.destroy()
  }
}

export function sizeOf(piece: FilePiece): number {
  return piece.until - piece.from
}
