/**
 * A large local file becomes an object in parts.
 *
 * Parts go side by side, at most `partsAtOnce` of all uploads of the process; each is tried again by itself. If one fails for good,
 * the others are waited for and the upload is aborted, so that nothing of it stays and costs. What a killed process
 * leaves is swept by age (`upload-sweep.ts`), or by a lifecycle rule of the bucket.
 */
import { randomUUID } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import type { Slots } from '../../../lib/slots.ts'
import { type FilePiece, md5Of, sizeOf, withBody } from './s3-bodies.ts'
import { isNamed, type S3Requests } from './s3-requests.ts'

/** More parts than this no store takes. */
const PARTS_MAX = 10_000
/** Metadata by which a writer knows its own object again, after an answer was lost. */
export const TOKEN = 'twinstore-put'

interface Part {
  readonly PartNumber: number
  readonly ETag: string | undefined
}

interface Upload {
  readonly target: { readonly Bucket: string; readonly Key: string; readonly UploadId: string | undefined }
  readonly token: string
  /** For messages. */
  readonly path: string
}

export class MultipartUploads {
  readonly #requests: S3Requests
  readonly #bucket: string
  readonly #partBytes: number
  readonly #slots: Slots

  constructor(requests: S3Requests, bucket: string, partBytes: number, slots: Slots) {
    this.#requests = requests
    this.#bucket = bucket
    this.#partBytes = partBytes
    this.#slots = slots
  }

  async put(file: string, bytes: number, key: string, path: string): Promise<void> {
    const upload = await this.#begin(key, path)
    let failed = false
    const sending = pieces(file, bytes, this.#partBytes).map((piece, index) =>
      this.#slots.run(async () => {
        if (failed) throw new Error('an earlier part failed')
        try {
          return await this.#putPart(piece, index + 1, upload)
        } catch (error) {
          failed = true
          throw error
        }
      }),
    )
    try {
      await this.#complete(upload, await Promise.all(sending))
    } catch (error) {
      await Promise.allSettled(sending)
      await this.#abort(upload)
      throw error
    }
  }

  async #begin(key: string, path: string): Promise<Upload> {
    const token = randomUUID()
    const create = { Bucket: this.#bucket, Key: key, Metadata: { [TOKEN]: token } }
    const { UploadId } = await this.#requests.retrying(path, () =>
      this.#requests.answer((client, options) => client.send(new CreateMultipartUploadCommand(create), options)),
    )
    return { target: { Bucket: this.#bucket, Key: key, UploadId }, token, path }
  }

  async #putPart(piece: FilePiece, number: number, upload: Upload): Promise<Part> {
    const md5 = await md5Of(piece)
    const { ETag } = await this.#requests.retrying(upload.path, () =>
      withBody(piece, (Body) => {
        const put = { ...upload.target, PartNumber: number, Body, ContentLength: sizeOf(piece), ContentMD5: md5 }
        return this.#requests.answer(
          (client, options) => client.send(new UploadPartCommand(put), options),
          sizeOf(piece),
        )
      }),
    )
    return { PartNumber: number, ETag }
  }

  /** The upload is gone once it is complete, so another try after a lost answer finds the object instead. */
  async #complete({ target, token, path }: Upload, parts: readonly Part[]): Promise<void> {
    const command = { ...target, MultipartUpload: { Parts: [...parts] } }
    await this.#requests.retrying(path, async () => {
      try {
        await this.#requests.answer((client, options) =>
          client.send(new CompleteMultipartUploadCommand(command), options),
        )
      } catch (error) {
        if (!isNamed(error, 'NoSuchUpload')) throw error
        const { Bucket, Key } = target
        const head = await this.#requests.answer((client, options) =>
          client.send(new HeadObjectCommand({ Bucket, Key }), options),
        )
        if (head.Metadata?.[TOKEN] !== token) throw error
      }
    })
  }

  async #abort({ target, path }: Upload): Promise<void> {
    // The failure that led here is what the caller is told; what cannot be aborted now is swept later.
    await this.#requests
      .retrying(path, () =>
        this.#requests.answer((client, options) => client.send(new AbortMultipartUploadCommand(target), options)),
      )
      .catch(() => undefined)
  }
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
