import { resolve } from 'node:path'
import { TwinstoreError } from '../domain/errors.ts'
import type { Config } from './option-table.ts'

/** Local folders of the embedded stores, absolute. */
export interface StoreFolders {
  readonly data: string
  readonly online: string
  readonly offline: string
  /** Temporary files of jobs and data sets. */
  readonly work: string
}

export function storeFolders(config: Config): StoreFolders {
  const data = resolve(config['data-dir'])
  return {
    data,
    online: folderOf('online', 'lmdb', config.online, resolve(data, 'online')),
    offline: folderOf('offline', 'file', config.offline, resolve(data, 'offline')),
    work: resolve(data, 'work'),
  }
}

function folderOf(option: 'online' | 'offline', scheme: string, location: string, fallback: string): string {
  if (location === '') return fallback
  const folder = location.startsWith(`${scheme}:`) ? location.slice(scheme.length + 1) : ''
  if (folder !== '') return resolve(folder)
  throw new TwinstoreError(
    'INVALID_ARGUMENT',
    `--${option}: ${JSON.stringify(location)} is not a store this version knows; give ${scheme}:<folder>`,
  )
}
