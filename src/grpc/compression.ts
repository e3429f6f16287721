/** Messages compressed and decompressed off the event loop, with a bound on what comes out. */
import { promisify } from 'node:util'
import { deflate, gunzip, gzip, inflate } from 'node:zlib'

const COMPRESS = { gzip: promisify(gzip), deflate: promisify(deflate) }
const DECOMPRESS = { gzip: promisify(gunzip), deflate: promisify(inflate) }

export type Compression = keyof typeof COMPRESS

export function isCompression(encoding: string): encoding is Compression {
  return Object.hasOwn(COMPRESS, encoding)
}

export function compressed(bytes: Buffer, compression: Compression): Promise<Buffer> {
  return COMPRESS[compression](bytes)
}

/** Rejects with `MessageTooLarge`, or with zlib's error for bytes that it did not make. */
export async function decompressed(bytes: Buffer, compression: Compression, bytesMax: number): Promise<Buffer> {
  try {
    return await DECOMPRESS[compression](bytes, { maxOutputLength: bytesMax })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw new MessageTooLarge()
    throw error
  }
}

export class MessageTooLarge extends Error {}
