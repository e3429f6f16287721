/**
 * An object store in an S3 bucket, or in any store that speaks S3 and honours `If-None-Match`.
 *
 * Objects are put whole or not at all, so no reader meets half of one, and a bucket is consistent: what was acknowledged is
 * read and listed by everybody at once. Files that engines read are copies in a bounded local cache (`../cache`).
 */
import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { TwinstoreError } from '../../../domain/errors.ts'
import { compareUtf8 } from '../../../lib/utf8-order.ts'
import type { FetchSink, FileCache } from '../cache/file-cache.ts'
import { checkPath, checkPrefix } from '../object-path.ts'
import type { BorrowedFile, ObjectInfo, ObjectStore } from '../object-store.ts'
import { TOKEN } from './multipart-upload.ts'
import { BrokenAnswer, type S3Place, s3Fault } from './s3-fault.ts'
import type { S3Requests } from './s3-requests.ts'
import type { S3Uploads } from './s3-upload.ts'

/** The longest key that S3 takes, with the prefix, in UTF-8 bytes. */
const KEY_BYTES_MAX = 1024
/** Objects of a start's own checks; they are no part of the store. */
export const RESERVED = '.twinstore'
/** So many bytes further, a body that breaks has its attempts anew: a large file is not lost to a line that breaks now and then. */
const PROGRESS_BYTES = 2 ** 20

export interface S3ObjectsParts {
  readonly requests: S3Requests
  readonly uploads: S3Uploads
  readonly cache: FileCache
  readonly place: S3Place
  /** Empty, or ends with a slash; begins every key. */
  readonly prefix: string
  readonly location: string
}

export function createS3Objects(parts: S3ObjectsParts): ObjectStore {
  return new S3Objects(parts)
}

class S3Objects implements ObjectStore {
  readonly location: string
  readonly stagingDir: string
  private readonly parts: S3ObjectsParts

  constructor(parts: S3ObjectsParts) {
    this.parts = parts
    this.location = parts.location
    this.stagingDir = parts.cache.stagingDir
  }

  async read(path: string): Promise<Buffer | undefined> {
    const { requests } = this.parts
    const target = this.target(path)
    return requests.retrying(path, async () => {
      try {
        const answer = await requests.answer((client, options) => client.send(new GetObjectCommand(target), options))
        const chunks: Buffer[] = []
        await requests.readBody(answer.Body as Readable, (chunk) => void chunks.push(chunk))
        const bytes = Buffer.concat(chunks)
        if (answer.ContentLength !== undefined && bytes.length !== answer.ContentLength) throw new BrokenAnswer('cut')
        return bytes
      } catch (error) {
        if (this.isAbsent(error)) return undefined
        throw error
      }
    })
  }

  /**
   * A 412 says that the object is there. It may be there because an earlier attempt of this very call landed and its answer
   * was lost: then the token in its metadata tells whose it is.
   */
  async putIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    const { requests, place } = this.parts
    const token = randomUUID()
    const put = { ...this.target(path), Body: bytes, IfNoneMatch: '*', Metadata: { [TOKEN]: token } }
    let mayHaveLanded = false
    return requests.retrying(path, async () => {
      try {
        await requests.answer((client, options) => client.send(new PutObjectCommand(put), options), bytes.length)
        return true
      } catch (error) {
        const fault = s3Fault(error, place)
        if (fault.status === 412) return mayHaveLanded ? await this.hasToken(path, token) : false
        mayHaveLanded ||= fault.mayHaveLanded
        throw error
      }
    })
  }

  async put(path: string, bytes: Uint8Array): Promise<void> {
    const { requests } = this.parts
    const put = { ...this.target(path), Body: bytes }
    await requests.retrying(path, () =>
      requests.answer((client, options) => client.send(new PutObjectCommand(put), options), bytes.length),
    )
    await this.parts.cache.forget(path)
  }

  /** The file stays on this machine as the cached copy: what was just written is what is read next. */
  async upload(localFile: string, path: string): Promise<void> {
    const { Key } = this.target(path)
    try {
      await this.parts.uploads.upload(localFile, Key, path)
    } catch (error) {
      if (error instanceof TwinstoreError) throw error
      const detail = error instanceof Error ? error.message : String(error)
      throw new TwinstoreError('UNAVAILABLE', `${this.location}: ${path}: ${detail}`, { cause: error })
    }
    await this.parts.cache.adopt(path, localFile)
    await rm(localFile, { force: true })
  }

  /** Stores list by the bytes of keys; one that does not would hide the newest version of a table, and is refused. */
  async *list(prefix: string, startAfter?: string): AsyncIterable<ObjectInfo> {
    checkPrefix(prefix)
    const { requests, place } = this.parts
    const query = {
      Bucket: place.bucket,
      Prefix: this.parts.prefix + prefix,
      // Names may hold what XML cannot.
      EncodingType: 'url' as const,
      ...(startAfter === undefined ? {} : { StartAfter: this.parts.prefix + startAfter }),
    }
    let next: { readonly ContinuationToken?: string | undefined } | undefined = {}
    let last = ''
    while (next !== undefined) {
      const command: ListObjectsV2Command = new ListObjectsV2Command({ ...query, ...next })
      const page = await requests.retrying(prefix, () =>
        requests.answer((client, options) => client.send(command, options)),
      )
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        // A store that does not know of the encoding sends names as they are.
        const key = page.EncodingType === 'url' ? decoded(Key!) : Key!
        const path = key.slice(this.parts.prefix.length)
        if (last !== '' && compareUtf8(path, last) <= 0) throw this.unordered(last, path)
        last = path
        // Consoles make empty objects that end with a slash, to show folders.
        if (path.startsWith(`${RESERVED}/`) || path === '' || path.endsWith('/')) continue
        yield { path, bytes: Size ?? 0, modifiedMs: LastModified?.getTime() ?? 0 }
      }
      next = page.IsTruncated ? { ContinuationToken: page.NextContinuationToken } : undefined
    }
  }

  async delete(path: string): Promise<void> {
    const { requests } = this.parts
    const target = this.target(path)
    await requests.retrying(path, () =>
      requests.answer((client, options) => client.send(new DeleteObjectCommand(target), options)),
    )
    await this.parts.cache.forget(path)
  }

  async borrow(path: string): Promise<BorrowedFile> {
    this.target(path)
    return this.parts.cache.borrow(path, (sink) => this.fetch(path, sink))
  }

  /** A body that breaks midway is gone on with from where it broke. */
  private async fetch(path: string, sink: FetchSink): Promise<void> {
    const { requests } = this.parts
    const target = this.target(path)
    let known: { readonly bytes: number; readonly etag: string | undefined } | undefined
    let from = 0
    const more = async (): Promise<void> => {
      const rest = known === undefined ? {} : { Range: `bytes=${from}-`, IfMatch: known.etag }
      const answer = await requests.answer((client, options) =>
        client.send(new GetObjectCommand({ ...target, ...rest }), options),
      )
      if (from > 0 && answer.ContentRange === undefined) throw this.ignoresRanges(path)
      if (known === undefined) {
        known = { bytes: answer.ContentLength ?? 0, etag: answer.ETag }
        await sink.expect(known.bytes)
      }
      await requests.readBody(answer.Body as Readable, async (chunk) => {
        await sink.write(chunk)
        from += chunk.length
      })
      if (from !== known.bytes) throw new BrokenAnswer('cut')
    }
    const untilNoProgress = async (): Promise<void> => {
      for (let before = from; ; before = from) {
        try {
          return await more()
        } catch (error) {
          if (from - before < PROGRESS_BYTES || !requests.isTransient(error)) throw error
        }
      }
    }
    await requests.retrying(path, async () => {
      try {
        if (known === undefined || from < known.bytes) await untilNoProgress()
      } catch (error) {
        if (this.isAbsent(error)) throw new TwinstoreError('NOT_FOUND', `${this.location}: there is no object ${path}`)
        throw error
      }
    })
  }

  private async hasToken(path: string, token: string): Promise<boolean> {
    const target = this.target(path)
    try {
      const head = await this.parts.requests.answer((client, options) =>
        client.send(new HeadObjectCommand(target), options),
      )
      return head.Metadata?.[TOKEN] === token
    } catch (error) {
      if (s3Fault(error, this.parts.place).status !== 404) throw error
      throw new TwinstoreError(
        'UNAVAILABLE',
        `${this.location}: ${path} was there and is gone; whether it was put by this call is not known`,
        { cause: error },
      )
    }
  }

  private target(path: string): { readonly Bucket: string; readonly Key: string } {
    checkPath(path)
    const problem = this.problemOf(path)
    if (problem !== undefined) {
      throw new TwinstoreError('INVALID_ARGUMENT', `object path ${JSON.stringify(path)}: ${problem}`)
    }
    return { Bucket: this.parts.place.bucket, Key: this.parts.prefix + path }
  }

  private problemOf(path: string): string | undefined {
    if (path === RESERVED || path.startsWith(`${RESERVED}/`)) return `${RESERVED} is reserved`
    const bytes = Buffer.byteLength(this.parts.prefix + path)
    return bytes > KEY_BYTES_MAX ? `a key of ${bytes} bytes with the prefix; S3 takes ${KEY_BYTES_MAX}` : undefined
  }

  private isAbsent(error: unknown): boolean {
    const { status, name } = s3Fault(error, this.parts.place)
    return status === 404 && name !== 'NoSuchBucket'
  }

  private ignoresRanges(path: string): TwinstoreError {
    return new TwinstoreError(
      'UNAVAILABLE',
      `${this.location}: ${path} broke off midway, and the store sends no rest of it (it ignores Range)`,
    )
  }

  private unordered(last: string, path: string): TwinstoreError {
    return new TwinstoreError(
      'FAILED_PRECONDITION',
      `${this.location}: the store lists ${path} after ${last}, not in the order of their bytes; ` +
        'buckets that list without order (S3 Express directory buckets) cannot be used',
    )
  }
}

/** As S3 encodes keys when asked for it: a form, in which a space is a plus sign. */
function decoded(key: string): string {
  return decodeURIComponent(key.replaceAll('+', ' '))
}
