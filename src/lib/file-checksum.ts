import { createReadStream } from 'node:fs'
import { crc32 } from 'node:zlib'

/**
 * CRC-32 of a file's bytes, as eight hex digits. It finds damage by accident (storage, a copy cut short), which is what it is
 * for; it is no proof against somebody who means to change a file.
 */
export async function fileChecksum(path: string): Promise<string> {
  let checksum = 0
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) checksum = crc32(chunk, checksum)
  return checksum.toString(16).padStart(8, '0')
}
