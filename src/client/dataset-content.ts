/** What has arrived of a data set's content, as far as it must be known: its checksum and counts. */
import { createHash } from 'node:crypto'
import { TwinstoreError } from '../domain/errors.ts'
import { WireReader } from '../lib/wire.ts'
import { readingAnswer } from './protocol.ts'

export interface ReceivedContent {
  readonly bytes: number
  /** `isRows`: a serialized `DatasetRows` message. */
  add(bytes: Uint8Array, isRows: boolean): void
  /** DATA_LOSS unless what was added is the whole data set that the trailer is of. */
  check(
    trailer: { readonly rows: string; readonly sha256: string },
    info: { readonly format: string; readonly bytes: number },
  ): void
}

/** Beginning with what is there already. */
export async function receivedContent(received: AsyncIterable<Uint8Array> | undefined): Promise<ReceivedContent> {
  const hash = createHash('sha256')
  let bytes = 0
  let rows = 0
  const content: ReceivedContent = {
    get bytes() {
      return bytes
    },
    add(piece, isRows) {
      hash.update(piece)
      bytes += piece.length
      if (isRows) rows += readingAnswer(() => countRows(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)))
    },
    check(trailer, info) {
      const sha256 = hash.digest('hex')
      // Rows that came before are in the checksum only: where their messages end is not known here.
      const allRows = received !== undefined || String(rows) === trailer.rows
      const whole = info.format === 'rows' ? allRows : bytes === info.bytes
      if (whole && sha256 === trailer.sha256) return
      throw new TwinstoreError(
        'DATA_LOSS',
        `the data set arrived damaged: ${bytes} bytes with SHA-256 ${sha256}; the server sent ` +
          `${info.format === 'rows' ? `${trailer.rows} rows` : `${info.bytes} bytes`} with ${trailer.sha256}`,
      )
    },
  }
  for await (const piece of received ?? []) content.add(piece, false)
  return content
}

/** `repeated DatasetRow rows = 1`. */
function countRows(message: Buffer): number {
  let rows = 0
  const reader = new WireReader(message)
  while (reader.next()) {
    if (reader.field === 1) rows++
    reader.skip()
  }
  return rows
}
