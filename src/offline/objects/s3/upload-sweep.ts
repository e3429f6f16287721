/** Aborts what killed processes left of uploads in parts: it is in no listing, and costs. */
import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
} from '@aws-sdk/client-s3'
import { isNamed, type S3Requests } from './s3-requests.ts'

/** Of the uploads below `prefix`, those that were begun before `beforeMs`. */
export async function sweepUploads(
  requests: S3Requests,
  bucket: string,
  prefix: string,
  beforeMs: number,
): Promise<void> {
  let marker: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } | undefined = {}
  while (marker !== undefined) {
    const page: ListMultipartUploadsCommandOutput = await listUploads(requests, bucket, prefix, marker)
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if (Initiated === undefined || Initiated.getTime() >= beforeMs) continue
      await abortUpload(requests, { Bucket: bucket, Key, UploadId })
    }
    marker = page.IsTruncated ? { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker } : undefined
  }
}

function listUploads(
  requests: S3Requests,
  bucket: string,
  prefix: string,
  marker: object,
): Promise<ListMultipartUploadsCommandOutput> {
  const command = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...marker })
  return requests.retrying('unfinished uploads', () =>
    requests.answer((client, options) => client.send(command, options)),
  )
}

async function abortUpload(
  requests: S3Requests,
  upload: { readonly Bucket: string; readonly Key: string | undefined; readonly UploadId: string | undefined },
): Promise<void> {
  await requests.retrying('an unfinished upload', async () => {
    try {
      await requests.answer((client, options) => client.send(new AbortMultipartUploadCommand(upload), options))
    } catch (error) {
      // Somebody else swept it, or it was completed after all.
      if (!isNamed(error, 'NoSuchUpload')) throw error
    }
  })
}
