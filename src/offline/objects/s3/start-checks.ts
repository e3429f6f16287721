/**
 * What must be true of a store before anything is written to it: that it is there and lets us, and that it refuses to put an
 * object that exists when asked to. Two writers on a store that ignores `If-None-Match` would overwrite each other's commits.
 */
import type { Readable } from 'node:stream'
import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import { TwinstoreError } from '../../../domain/errors.ts'
import { type S3Place, s3Fault } from './s3-fault.ts'
import { RESERVED } from './s3-objects.ts'
import type { S3Requests } from './s3-requests.ts'

/** Four requests, or five the first time. Throws a `TwinstoreError` that says what to do. */
export async function checkStore(
  requests: S3Requests,
  place: S3Place,
  prefix: string,
  location: string,
): Promise<void> {
  const Bucket = place.bucket
  const probe = { Bucket, Key: `${prefix}${RESERVED}/if-none-match` }

  /** True if it was put, false if the store refused because it is there. */
  const putProbe = () =>
    requests.retrying('putting an object', async () => {
      try {
        const put = { ...probe, Body: 'twinstore', IfNoneMatch: '*' }
        await requests.answer((client, options) => client.send(new PutObjectCommand(put), options))
        return true
      } catch (error) {
        if (s3Fault(error, place).status === 412) return false
        if (s3Fault(error, place).name === 'NotImplemented') return true
        throw error
      }
    })

  await requests.retrying('listing', () =>
    requests.answer((client, options) =>
      client.send(new ListObjectsV2Command({ Bucket, Prefix: prefix, MaxKeys: 1 }), options),
    ),
  )
  if ((await putProbe()) && (await putProbe())) {
    throw new TwinstoreError(
      'FAILED_PRECONDITION',
      `${location}: ${place.endpoint} does not honour \`If-None-Match: *\`: it puts an object over one that exists, so that ` +
        'writers would overwrite the commits of others; use a store that does (docs/s3.md names some), or file:<folder>',
    )
  }
  await requests.retrying('reading an object', async () => {
    const { Body } = await requests.answer((client, options) => client.send(new GetObjectCommand(probe), options))
    await requests.readBody(Body as Readable, () => undefined)
  })
  const absent = { Bucket, Key: `${prefix}${RESERVED}/never-put` }
  await requests.retrying('deleting an object', () =>
    requests.answer((client, options) => client.send(new DeleteObjectCommand(absent), options)),
  )
}
