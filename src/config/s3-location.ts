/** Where the offline store is in S3: `s3://bucket[/prefix]` of the option `offline`, and the options that say which S3. */
import { TwinstoreError } from '../domain/errors.ts'
import type { Config } from './option-table.ts'

export interface S3Location {
  readonly bucket: string
  /** Empty, or ends with a slash. */
  readonly prefix: string
  /** Undefined: AWS's own for the region. */
  readonly endpoint?: string
  /** Undefined: as the SDK finds it (`AWS_REGION`, the profile). */
  readonly region?: string
  readonly pathStyle: boolean
}

type LocationOptions = Pick<Config, 'offline' | 's3-endpoint' | 's3-region' | 's3-path-style'>

const SCHEME = 's3://'
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$/
/** What stores other than AWS's take, most of them whatever it is; it is part of every signature. */
const REGION_OF_ENDPOINTS = 'us-east-1'

/** Undefined: the option `offline` names another kind of store. */
export function s3Location(config: LocationOptions): S3Location | undefined {
  if (!/^s3:/i.test(config.offline)) return undefined
  if (!config.offline.startsWith(SCHEME))
    throw fault('offline', 'a bucket is written s3://bucket or s3://bucket/prefix')
  const [bucket = '', ...segments] = config.offline.slice(SCHEME.length).replace(/\/+$/, '').split('/')
  if (bucket.includes('@') || bucket.includes(':')) {
    throw fault(
      'offline',
      'keys and hosts do not belong there: keys go into the environment, the host is --s3-endpoint',
    )
  }
  if (!BUCKET.test(bucket)) throw fault('offline', `${JSON.stringify(bucket)} is not the name of a bucket`)
  if (segments.some((segment) => ['', '.', '..'].includes(segment) || /[?#\\\0]/.test(segment))) {
    throw fault(
      'offline',
      `the prefix ${JSON.stringify(segments.join('/'))} has an empty name, "." or a character of URLs`,
    )
  }
  const endpoint = parseEndpoint(config['s3-endpoint'])
  const region = config['s3-region'] || (endpoint === undefined ? undefined : REGION_OF_ENDPOINTS)
  const addressing = config['s3-path-style']
  return {
    bucket,
    prefix: segments.map((segment) => `${segment}/`).join(''),
    pathStyle: addressing === 'auto' ? endpoint !== undefined : addressing === 'always',
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
  }
}

function parseEndpoint(text: string): string | undefined {
  if (text === '') return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw fault('s3-endpoint', 'expected http://host:port or https://host')
  }
  if (url.username !== '' || url.password !== '') throw fault('s3-endpoint', 'keys go into the environment, not there')
  if (url.pathname !== '/' || url.search !== '') {
    throw fault('s3-endpoint', 'nothing may follow the host; the bucket goes into --offline')
  }
  return url.origin
}

function fault(option: string, problem: string): TwinstoreError {
  return new TwinstoreError('INVALID_ARGUMENT', `--${option}: ${problem}`)
}
