/** The SDK's client, told to leave to us what we do ourselves. */
import { S3Client } from '@aws-sdk/client-s3'

export interface S3ClientOptions {
  /** Undefined: AWS's own for the region. */
  readonly endpoint?: string
  /** Undefined: as the SDK finds it (`AWS_REGION`, the profile). */
  readonly region?: string
  /** `https://host/bucket/key` instead of `https://bucket.host/key`. */
  readonly pathStyle: boolean
  readonly connectionsMax: number
  readonly connectTimeoutMs: number
}

/** Its warnings speak of its own retries, which are off, in lines that are no log lines. Faults are told by errors. */
const SILENT = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing }

function nothing(): void {}

/** `onRequest` gets the operation's name in S3's API. Credentials are found by the SDK's own chain: environment, profiles, web identity, container and machine roles. */
export function createS3Client(options: S3ClientOptions, onRequest: (operation: string) => void): S3Client {
  const agent = { keepAlive: true, maxSockets: options.connectionsMax }
  const client = new S3Client({
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(options.region === undefined ? {} : { region: options.region }),
    forcePathStyle: options.pathStyle,
    // One attempt: see `s3-requests.ts`.
    maxAttempts: 1,
    // Bodies carry a Content-MD5 of ours, which every store knows; the SDK's checksums in trailers are refused by some.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // It would take a new connection for each upload.
    expectContinueHeader: false,
    logger: SILENT,
    requestHandler: {
      connectionTimeout: options.connectTimeoutMs,
      httpAgent: agent,
      httpsAgent: agent,
      logger: SILENT,
    },
  })
  client.middlewareStack.add(
    (next, { commandName = 'unknown' }) =>
      (args) => {
        onRequest(commandName.replace(/Command$/, ''))
        return next(args)
      },
    { step: 'initialize' },
  )
  return client
}
