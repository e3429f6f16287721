/** A local file becomes an object: in one request, or in parts if it is large (`multipart-upload.ts`). */
import { stat } from 'node:fs/promises'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { createSlots } from '../../../lib/slots.ts'
import { MultipartUploads } from './multipart-upload.ts'
import { type FilePiece, md5Of, sizeOf, withBody } from './s3-bodies.ts'
import type { S3Requests } from './s3-requests.ts'

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

export function createUploads(requests: S3Requests, bucket: string, limits: S3UploadLimits): S3Uploads {
  const inParts = new MultipartUploads(requests, bucket, limits.partBytes, createSlots(limits.partsAtOnce))

  const putWhole = async (piece: FilePiece, key: string, path: string): Promise<void> => {
    const md5 = await md5Of(piece)
    await requests.retrying(path, () =>
      withBody(piece, (Body) => {
        const put = { Bucket: bucket, Key: key, Body, ContentLength: sizeOf(piece), ContentMD5: md5 }
        return requests.answer((client, options) => client.send(new PutObjectCommand(put), options), sizeOf(piece))
      }),
    )
  }

  return {
    async upload(file, key, path) {
      const { size } = await stat(file)
      if (size > limits.partBytes) await inParts.put(file, size, key, path)
      else await putWhole({ file, from: 0, until: size }, key, path)
    },
  }
}
