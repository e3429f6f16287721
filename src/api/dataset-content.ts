/**
 * The content of a finished data set in parts, from any byte on, read from its file only as fast as the parts are taken.
 *
 * Format ROWS is a file of serialized `DatasetRows` messages, each behind a big-endian u32 length. They are passed on as
 * they are; the data set's checksum covers the messages without the lengths, as clients see them, and a reader's bytes
 * are counted likewise.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { TwinstoreError } from '../domain/errors.ts'
import type { Dataset } from '../offline/offline-store.ts'
import type { CallContext } from './call-context.ts'

export type ContentPart =
  | { readonly kind: 'data'; readonly bytes: Buffer }
  /** One serialized `DatasetRows` message. */
  | { readonly kind: 'rows'; readonly bytes: Buffer }

/** A ROWS message beyond this is not one that we wrote. */
const ROWS_MESSAGE_BYTES_MAX = 64 * 1024 * 1024

/** INVALID_ARGUMENT if there are fewer bytes than `fromByte`. */
export async function* dataParts(
  dataset: Dataset,
  fromByte: number,
  chunkBytes: number,
  { signal, contentRoom = freshRoom }: CallContext,
): AsyncGenerator<ContentPart> {
  if (fromByte > dataset.bytes) throw beyondEnd(fromByte, `the data set has ${dataset.bytes}`)
  const file = await open(dataset.path)
  try {
    for (let at = fromByte; at < dataset.bytes; ) {
      signal.throwIfAborted()
      const bytes = await readExactly(file, at, contentRoom(Math.min(chunkBytes, dataset.bytes - at)))
      at += bytes.length
      yield { kind: 'data', bytes }
    }
  } finally {
    await file.close()
  }
}

/** INVALID_ARGUMENT if no message begins at `fromByte`. */
export async function* rowsParts(
  dataset: Dataset,
  fromByte: number,
  { signal, contentRoom = freshRoom }: CallContext,
): AsyncGenerator<ContentPart> {
  const file = await open(dataset.path)
  try {
    const lengthBytes = Buffer.alloc(4)
    let content = 0
    for (let at = 0; at < dataset.bytes; ) {
      signal.throwIfAborted()
      const length = (await readExactly(file, at, lengthBytes)).readUInt32BE(0)
      if (length > ROWS_MESSAGE_BYTES_MAX) throw corrupt(dataset, `a message of ${length} bytes at ${at}`)
      if (content >= fromByte) yield { kind: 'rows', bytes: await readExactly(file, at + 4, contentRoom(length)) }
      at += 4 + length
      content += length
      if (content > fromByte && content - length < fromByte) throw beyondEnd(fromByte, 'which is within a message')
    }
    if (content < fromByte) throw beyondEnd(fromByte, `the data set has ${content}`)
  } finally {
    await file.close()
  }
}

function beyondEnd(fromByte: number, detail: string): TwinstoreError {
  return new TwinstoreError('INVALID_ARGUMENT', `resume.received_bytes is ${fromByte}, ${detail}; begin anew`)
}

function freshRoom(bytes: number): Buffer {
  return Buffer.allocUnsafeSlow(bytes)
}

/** Fills `bytes`. */
async function readExactly(file: FileHandle, at: number, bytes: Buffer): Promise<Buffer> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, at + done)
    if (bytesRead === 0) throw new TwinstoreError('INTERNAL', `a data set's file ended at byte ${at + done}`)
    done += bytesRead
  }
  return bytes
}

function corrupt(dataset: Dataset, detail: string): TwinstoreError {
  return new TwinstoreError('INTERNAL', `the data set file ${dataset.path} is not made of rows: ${detail}`)
}
