/** Where the offline store's files are: a folder, or S3. */
import type { Config } from '../config/option-table.ts'
import { s3Location } from '../config/s3-location.ts'
import { s3Slice } from '../config/slices/offline.ts'
import { type StoreFolders, storeFolders } from '../config/store-location.ts'
import { systemClock as clock } from '../lib/clock.ts'
import { createLog, type Log } from '../observe/log.ts'
import type { S3Numbers } from '../observe/s3-metrics.ts'
import { openFolderObjects } from '../offline/objects/folder-objects.ts'
import type { ObjectStore } from '../offline/objects/object-store.ts'

export async function openObjects(
  config: Config,
  folders: StoreFolders,
  log: Log,
  onClose: (close: () => Promise<unknown>) => void,
): Promise<ObjectStore & { readonly numbers?: () => S3Numbers }> {
  const location = s3Location(config)
  if (location === undefined) {
    const nowMs = clock.nowMicros() / 1000
    return openFolderObjects(folders.offline!, { nowMs, staleAgeMs: config['staging-stale-age'] })
  }
  // The SDK's word on future versions of it is for us, who choose the version, and not for those who run this one.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true'
  // It takes a tenth of a second to load, which those with a folder need not wait for.
  const { openS3Objects } = await import('../offline/objects/s3/open-s3-objects.ts')
  const onFault = (error: unknown) => log.warn('unfinished uploads of killed processes were not looked for', { error })
  const options = { location, clock, random: Math.random, onFault, cacheDir: folders.cache, ...s3Slice(config) }
  const objects = await openS3Objects(options)
  onClose(() => objects.close())
  return objects
}

export async function withObjects<T>(config: Config, work: (objects: ObjectStore) => Promise<T>): Promise<T> {
  let close: () => Promise<unknown> = async () => undefined
  const objects = await openObjects(config, storeFolders(config), createLog(config['log-level']), (opened) => {
    close = opened
  })
  try {
    return await work(objects)
  } finally {
    await close()
  }
}
