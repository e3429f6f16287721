/**
 * CRC-32 of a file block by block, so that a reader of a small part of it can tell whether that part is sound.
 *
 * A file has at most 256 blocks, so that the checksums of the largest take no more room in a table's log (1.4 KB) than its
 * statistics do; reading a range costs the rest of two blocks, below 1 % of the file.
 */
import type { FileHandle } from 'node:fs/promises'
import { open, stat } from 'node:fs/promises'
import { crc32 } from 'node:zlib'

export interface BlockChecksums {
  /** The size of every block but the last, which may be shorter. */
  readonly blockBytes: number
  /** One big-endian u32 per block. */
  readonly crcs: Uint8Array
}

export interface FileChecksums {
  /** CRC-32 of the whole file, as eight hex digits. */
  readonly whole: string
  readonly blocks: BlockChecksums
}

const BLOCKS_MAX = 256
/** Below this a file's blocks would be smaller than what a disk reads at a time anyway. */
const BLOCK_BYTES_MIN = 16 * 1024
const BLOCK_BYTES_STEP = 4096

export async function fileChecksums(path: string): Promise<FileChecksums> {
  const { size } = await stat(path)
  const blockBytes = blockBytesOf(size)
  const crcs = Buffer.alloc(Math.ceil(size / blockBytes) * 4)
  let whole = 0
  const file = await open(path)
  try {
    for (let block = 0; block * blockBytes < size; block++) {
      const bytes = await readBlock(file, block * blockBytes, Math.min(blockBytes, size - block * blockBytes))
      whole = crc32(bytes, whole)
      crcs.writeUInt32BE(crc32(bytes), block * 4)
    }
  } finally {
    await file.close()
  }
  return { whole: whole.toString(16).padStart(8, '0'), blocks: { blockBytes, crcs } }
}

/** Whether every block of the open file that has a byte from `from` to before `until` is as it was. */
export async function isSound(
  file: FileHandle,
  { blockBytes, crcs }: BlockChecksums,
  from: number,
  until: number,
): Promise<boolean> {
  const expected = Buffer.from(crcs.buffer, crcs.byteOffset, crcs.byteLength)
  for (let block = Math.floor(from / blockBytes); block * blockBytes < until; block++) {
    if (block * 4 >= expected.length) return false
    const bytes = await readBlock(file, block * blockBytes, blockBytes)
    if (crc32(bytes) !== expected.readUInt32BE(block * 4)) return false
  }
  return true
}

function blockBytesOf(fileBytes: number): number {
  return Math.max(BLOCK_BYTES_MIN, Math.ceil(fileBytes / BLOCKS_MAX / BLOCK_BYTES_STEP) * BLOCK_BYTES_STEP)
}

/** Shorter than `length` only at the end of the file. */
async function readBlock(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length)
  let done = 0
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, at + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return bytes.subarray(0, done)
}
