import { resolve } from 'node:path'
import { TwinstoreError } from '../domain/errors.ts'
import type { Config } from './option-table.ts'
import { redisLocation } from './redis-location.ts'
import { s3Location } from './s3-location.ts'

/** Local folders of the embedded stores, absolute. */
export interface StoreFolders {
  readonly data: string
  /** Undefined: the online store is in Redis (`redisLocation`). */
  readonly online: string | undefined
  /** Undefined: the offline store is in S3 (`s3Location`). */
  readonly offline: string | undefined
  /** Temporary files of jobs and data sets. */
  readonly work: string
  /** Copies of files of an offline store that is elsewhere. */
  readonly cache: string
}

export function storeFolders(config: Config): StoreFolders {
  const data = resolve(config['data-dir'])
  return {
    data,
    online: redisLocation(config) ? undefined : folderOf('online', 'lmdb', config.online, resolve(data, 'online')),
    offline: s3Location(config) ? undefined : folderOf('offline', 'file', config.offline, resolve(data, 'offline')),
    work: resolve(data, 'work'),
    cache: resolve(data, 'cache'),
  }
}

function folderOf(option: 'online' | 'offline', scheme: string, location: string, fallback: string): string {
  if (location === '') return fallback
  const folder = location.startsWith(`${scheme}:`) ? location.slice(scheme.length + 1) : ''
  if (folder !== '') return resolve(folder)
  // A mistyped scheme must not put a password into the log.
  const shown = JSON.stringify(location.replace(/\/\/.*@/, '//...@'))
  throw new TwinstoreError(
    'INVALID_ARGUMENT',
    `--${option}: ${shown} is not a store this version knows; give ${KNOWN[option]}`,
  )
}

const KNOWN = {
  online: 'lmdb:<folder>, redis://host:port or redis+cluster://host:port,host:port',
  offline: 'file:<folder> or s3://bucket/prefix',
} as const
