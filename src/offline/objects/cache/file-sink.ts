/** A file of the cache while its bytes arrive. */
import type { FileHandle } from 'node:fs/promises'
import { TwinstoreError } from '../../../domain/errors.ts'
import type { CacheRoom } from './cache-room.ts'

/** Where a fetched object's bytes go. Its errors are `TwinstoreError`s: another fetch does not cure them. */
export interface FetchSink {
  /** How many bytes there will be; to be told first. RESOURCE_EXHAUSTED if there is no room for so many. */
  expect(bytes: number): Promise<void>
  write(chunk: Uint8Array): Promise<void>
}

export class FileSink implements FetchSink {
  private readonly handle: FileHandle
  private readonly room: CacheRoom
  private readonly dir: string
  private landed: () => void = () => undefined
  private expected = 0
  private written = 0

  /** `dir` is for messages. */
  constructor(handle: FileHandle, room: CacheRoom, dir: string) {
    this.handle = handle
    this.room = room
    this.dir = dir
  }

  get bytes(): number {
    return this.written
  }

  async expect(bytes: number): Promise<void> {
    this.landed = await this.room.take(bytes)
    this.expected = bytes
  }

  async write(chunk: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < chunk.length; ) at += await this.writeFrom(chunk, at)
    } catch (error) {
      throw localFault(this.dir, error)
    }
    this.written += chunk.length
  }

  /** Nothing but a whole file gets past this, and it survives a loss of power. */
  async finish(): Promise<void> {
    if (this.written !== this.expected) {
      throw new TwinstoreError('INTERNAL', `${this.dir}: a fetched file has ${this.written} bytes of ${this.expected}`)
    }
    await this.handle.datasync()
  }

  async close(): Promise<void> {
    this.landed()
    await this.handle.close()
  }

  /** Room is made once on a full disk: copies that nobody reads are worth less than this file. */
  private async writeFrom(chunk: Uint8Array, at: number): Promise<number> {
    const write = async () => (await this.handle.write(chunk, at, chunk.length - at, this.written + at)).bytesWritten
    try {
      return await write()
    } catch (error) {
      if (!isFull(error) || !(await this.room.empty())) throw error
      return await write()
    }
  }
}

/** What the local file system refused, as an error that names the folder; any other error as it is. */
export function localFault(dir: string, error: unknown): unknown {
  if (error instanceof TwinstoreError || !(error instanceof Error) || !('syscall' in error)) return error
  if (!isFull(error)) return new TwinstoreError('UNAVAILABLE', `${dir}: ${error.message}`, { cause: error })
  return new TwinstoreError(
    'RESOURCE_EXHAUSTED',
    `${dir}: the disk is full, and nothing is left there that could be evicted; make room, or lower s3-cache-bytes`,
    { cause: error },
  )
}

function isFull(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'ENOSPC' || code === 'EDQUOT'
}
