/** Files with their SHA-256: of a file that is there, and of one while it is written. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'

export interface FileDigest {
  readonly bytes: number
  readonly sha256: string
}

export async function digestFile(path: string, signal?: AbortSignal): Promise<FileDigest> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash, signal === undefined ? {} : { signal })
  return { bytes: (await stat(path)).size, sha256: hash.digest('hex') }
}

/** A file written from its beginning to its end. */
export interface DigestedFile {
  /** `hashed: false` keeps the bytes out of the digest: framing that is not part of the content. */
  write(bytes: Uint8Array, options?: { readonly hashed: boolean }): Promise<void>
  close(): Promise<FileDigest>
}

export async function createDigestedFile(path: string): Promise<DigestedFile> {
  const file: FileHandle = await open(path, 'w')
  const hash = createHash('sha256')
  let length = 0
  return {
    async write(bytes, options) {
      if (options?.hashed !== false) hash.update(bytes)
      length += bytes.length
      await file.writeFile(bytes)
    },
    async close() {
      await file.close()
      return { bytes: length, sha256: hash.digest('hex') }
    },
  }
}
