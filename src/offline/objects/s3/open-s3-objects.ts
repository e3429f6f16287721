/** Builds the S3 adapter from its parts, and refuses a store that is not fit for it. */
import type { Clock } from '../../../lib/clock.ts'
import { type FileCacheLimits, type FileCacheNumbers, openFileCache } from '../cache/file-cache.ts'
import type { ObjectStore } from '../object-store.ts'
import { createS3Client } from './s3-client.ts'
import type { S3Place } from './s3-fault.ts'
import { createS3Objects } from './s3-objects.ts'
import { type S3RequestLimits, S3Requests } from './s3-requests.ts'
import { createUploads, type S3UploadLimits } from './s3-upload.ts'
import { checkStore } from './start-checks.ts'
import { sweepUploads } from './upload-sweep.ts'

export interface S3Location {
  readonly bucket: string
  /** Empty, or ends with a slash. */
  readonly prefix: string
  /** Undefined: AWS's own for the region. */
  readonly endpoint?: string
  /** Undefined: as the SDK finds it. */
  readonly region?: string
  readonly pathStyle: boolean
}

export interface S3ObjectsOptions {
  readonly location: S3Location
  readonly requests: S3RequestLimits & { readonly connectTimeoutMs: number }
  readonly uploads: S3UploadLimits
  readonly cache: FileCacheLimits
  /** Folder of the local cache; shared by the processes of one data folder. */
  readonly cacheDir: string
  /** Age at which uploads and staged files that nobody finished are removed, option `staging-stale-age`. */
  readonly staleAgeMs: number
  readonly clock: Clock
  /** 0 to 1. */
  readonly random: () => number
  /** What was not done and does no harm today. */
  readonly onFault: (error: unknown) => void
}

export interface S3Numbers {
  /** Requests sent, by the name of the operation in S3's API. */
  readonly requests: ReadonlyMap<string, number>
  /** Attempts beyond the first of a request. */
  readonly retries: number
  readonly cache: FileCacheNumbers
}

export interface OpenedS3Objects extends ObjectStore {
  numbers(): S3Numbers
  /** Ends connections and loans. */
  close(): Promise<void>
}

/** Rejects with a `TwinstoreError` that says what is wrong with the bucket, the rights, the region, the clock or the store. */
export async function openS3Objects(options: S3ObjectsOptions): Promise<OpenedS3Objects> {
  const { bucket, prefix, endpoint, region } = options.location
  const location = `s3://${bucket}${prefix === '' ? '' : `/${prefix.slice(0, -1)}`}`
  const place: S3Place = { bucket, endpoint: endpoint ?? `AWS S3${region === undefined ? '' : ` in ${region}`}` }
  const { clock, random } = options
  const sent = new Map<string, number>()
  const count = (operation: string) => sent.set(operation, (sent.get(operation) ?? 0) + 1)
  const client = createS3Client({ ...options.location, ...options.requests }, count)
  const requests = new S3Requests({ client, place, location, limits: options.requests, clock, random })
  try {
    await checkStore(requests, place, prefix, location)
    const nowMs = clock.nowMicros() / 1000
    const beforeMs = nowMs - options.staleAgeMs
    // Needs a right of its own, and a lifecycle rule of the bucket does as well: no reason not to start.
    await sweepUploads(requests, bucket, prefix, beforeMs).catch(options.onFault)
    const scope = `${endpoint ?? ''}\n${location}`
    const cache = await openFileCache({ dir: options.cacheDir, scope, clock, beforeMs, ...options.cache })
    const uploads = createUploads(requests, bucket, options.uploads)
    const objects = createS3Objects({ requests, uploads, cache, place, prefix, location })
    const close = async () => {
      client.destroy()
      await cache.close()
    }
    const numbers = () => ({ requests: sent, retries: requests.retries, cache: cache.numbers() })
    return Object.assign(objects, { numbers, close })
  } catch (error) {
    client.destroy()
    throw error
  }
}
