/**
 * A local file becomes an object: in one request, or in parts if it is large.
 *
 * Parts go side by side, at most `partsAtOnce` of all uploads of the process; each is tried again by itself. If one fails for good,
 * the others are waited for and the upload is aborted, so that nothing of it stays and costs. What a killed process
 * leaves is swept by age (`upload-sweep.ts`), or by a lifecycle rule of the bucket.
 */
import { randomUUID } from 'node:crypto'
import { stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { createSlots } from '../../../lib/slots.ts'
import { type FilePiece, md5Of, openPiece } from './s3-bodies.ts'
import type { S3Requests } from './s3-requests.ts'

/** More parts than this no store takes. */
const PARTS_MAX = 10_000
/** Metadata by which a writer knows its own object again, after an answer was lost. */
export const TOKEN = 'twinstore-put'

export interface S3UploadLimits {
  /** Files up to this go in one request, larger ones in parts of it (option `s3-part-bytes`). */
  readonly partBytes: number
  /** Parts of all uploads sent at a time, option `s3-parts-at-once`. */
  readonly partsAtOnce: number
}

export interface S3Uploads {
  /** `path` is for messages. */
  upload(file: string, key: string, path: string): Promise<void>
}

interface Part {
  readonly PartNumber: number
  readonly ETag: string | undefined
}

export function createUploads(requests: S3Requests, bucket: string, limits: S3UploadLimits): S3Uploads {
  const slots = createSlots(limits.partsAtOnce)

  const putWhole = async (piece: FilePiece, key: string, path: string): Promise<void> => {
    const md5 = await md5Of(piece)
    await requests.retrying(path, () =>
      withBody(piece, (Body) => {
        const put = { Bucket: bucket, Key: key, Body, ContentLength: sizeOf(piece), ContentMD5: md5 }
        return requests.answer((client, options) => client.send(new PutObjectCommand(put), options), sizeOf(piece))
      }),
    )
  }

  const putPart = async (piece: FilePiece, number: number, upload: Upload): Promise<Part> => {
    const md5 = await md5Of(piece)
    const { ETag } = await requests.retrying(upload.path, () =>
      withBody(piece, (Body) => {
        const put = { ...upload.target, PartNumber: number, Body, ContentLength: sizeOf(piece), ContentMD5: md5 }
        return requests.answer((client, options) => client.send(new UploadPartCommand(put), options), sizeOf(piece))
      }),
    )
    return { PartNumber: number, ETag }
  }

  const begin = async (key: string, path: string): Promise<Upload> => {
    const token = randomUUID()
    const create = { Bucket: bucket, Key: key, Metadata: { [TOKEN]: token } }
    const { UploadId } = await requests.retrying(path, () =>
      requests.answer((client, options) => client.send(new CreateMultipartUploadCommand(create), options)),
    )
    return { target: { Bucket: bucket, Key: key, UploadId }, token, path }
  }

  /** The upload is gone once it is complete, so another try after a lost answer finds the object instead. */
  const complete = async ({ target, token, path }: Upload, parts: readonly Part[]): Promise<void> => {
    const command = { ...target, MultipartUpload: { Parts: [...parts] } }
    await requests.retrying(path, async () => {
      try {
        await requests.answer((client, options) => client.send(new CompleteMultipartUploadCommand(command), options))
      } catch (error) {
        if (!isNamed(error, 'NoSuchUpload')) throw error
        const { Bucket, Key } = target
        const head = await requests.answer((client, options) =>
          client.send(new HeadObjectCommand({ Bucket, Key }), options),
        )
        if (head.Metadata?.[TOKEN] !== token) throw error
      }
    })
  }

  const abort = async ({ target, path }: Upload): Promise<void> => {
    // The failure that led here is what the caller is told; what cannot be aborted now is swept later.
    await requests
      .retrying(path, () =>
        requests.answer((client, options) => client.send(new AbortMultipartUploadCommand(target), options)),
      )
      .catch(() => undefined)
  }

  const putInParts = async (file: string, bytes: number, key: string, path: string): Promise<void> => {
    const upload = await begin(key, path)
    let failed = false
    const sending = pieces(file, bytes, limits.partBytes).map((piece, index) =>
      slots.run(async () => {
        if (failed) throw new Error('an earlier part failed')
        try {
          return await putPart(piece, index + 1, upload)
        } catch (error) {
          failed = true
          throw error
        }
      }),
    )
    try {
      await complete(upload, await Promise.all(sending))
    } catch (error) {
      await Promise.allSettled(sending)
      await abort(upload)
      throw error
    }
  }

  return {
    async upload(file, key, path) {
      const { size } = await stat(file)
      if (size > limits.partBytes) await putInParts(file, size, key, path)
      else await putWhole({ file, from: 0, until: size }, key, path)
    },
  }
}

interface Upload {
  readonly target: { readonly Bucket: string; readonly Key: string; readonly UploadId: string | undefined }
  readonly token: string
  /** For messages. */
  readonly path: string
}

function pieces(file: string, bytes: number, partBytes: number): FilePiece[] {
  const each = Math.max(partBytes, Math.ceil(bytes / PARTS_MAX))
  const count = Math.ceil(bytes / each)
  return Array.from({ length: count }, (_, index) => ({
    file,
    from: index * each,
    until: Math.min(bytes, (index + 1) * each),
  }))
}

async function withBody<T>(piece: FilePiece, send: (body: Readable | Buffer) => Promise<T>): Promise<T> {
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

function sizeOf(piece: FilePiece): number {
  return piece.until - piece.from
}

/** By S3's name for the error. */
export function isNamed(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name
}
