/** The S3 adapter over a server of the tests, with limits that make its faults quick. */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TwinstoreError } from '../../../src/domain/errors.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import {
  type OpenedS3Objects,
  openS3Objects,
  type S3ObjectsOptions,
} from '../../../src/offline/objects/s3/open-s3-objects.ts'
import type { S3Credentials } from './s3-server.mjs'

export interface S3TestOptions extends Partial<Omit<S3ObjectsOptions, 'requests' | 'cache' | 'uploads'>> {
  readonly endpoint: string
  readonly bucket: string
  readonly prefix?: string
  readonly region?: string
  readonly requests?: Partial<S3ObjectsOptions['requests']>
  readonly cache?: Partial<S3ObjectsOptions['cache']>
  readonly uploads?: Partial<S3ObjectsOptions['uploads']>
}

export async function openTestObjects(options: S3TestOptions): Promise<OpenedS3Objects> {
  const { endpoint, bucket, prefix = '', region = 'us-east-1', requests, cache, uploads, ...rest } = options
  return openS3Objects({
    location: { endpoint, bucket, prefix, region, pathStyle: true },
    requests: {
      connectionsMax: 16,
      connectTimeoutMs: 5000,
      requestTimeoutMs: 10_000,
      attemptsMax: 6,
      retryMinMs: 5,
      retryMaxMs: 50,
      ...requests,
    },
    uploads: { partBytes: 16 * 2 ** 20, partsAtOnce: 4, ...uploads },
    cache: { bytesMax: 2 ** 30, filesMax: 10_000, ...cache },
    cacheDir: options.cacheDir ?? (await mkdtemp(join(tmpdir(), 'twinstore-s3-cache-'))),
    staleAgeMs: 24 * 3_600_000,
    clock: systemClock,
    random: Math.random,
    onFault: (error) => {
      throw error
    },
    ...rest,
  })
}

const OPENS_MAX = 20

/** For limits that a busy machine may not keep while the store is checked, and that are there for what comes after. */
export async function openPatiently(options: S3TestOptions): Promise<OpenedS3Objects> {
  for (let opens = 1; ; opens++) {
    try {
      return await openTestObjects(options)
    } catch (error) {
      if (opens === OPENS_MAX || !(error instanceof TwinstoreError) || error.code !== 'UNAVAILABLE') throw error
    }
  }
}

/** The SDK's chain finds credentials in the environment of the process, which is the test's own. */
export function useCredentials({ accessKeyId, secretAccessKey }: S3Credentials): void {
  process.env['AWS_ACCESS_KEY_ID'] = accessKeyId
  process.env['AWS_SECRET_ACCESS_KEY'] = secretAccessKey
}
