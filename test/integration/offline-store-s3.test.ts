/** The tests of the offline store, the same ones, over a real S3 server. */
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import type { OpenedS3Objects } from '../../src/offline/objects/s3/open-s3-objects.ts'
import { openTestObjects, useCredentials } from '../support/s3/open-objects.ts'
import { type S3Server, startS3Server } from '../support/s3/s3-server.mjs'
import { testsRunOver } from './offline-store-fixtures.ts'

let server: S3Server
const opened: OpenedS3Objects[] = []
beforeAll(async () => {
  server = await startS3Server()
  useCredentials(server.credentials)
})
afterAll(async () => {
  for (const objects of opened) await objects.close()
  await server.dispose()
})

testsRunOver(async (dir) => {
  const bucket = await server.makeBucket()
  const objects = await openTestObjects({ endpoint: server.endpoint, bucket, cacheDir: join(dir, 'cache') })
  opened.push(objects)
  return objects
})
await import('./offline-store.test.ts')
await import('./offline-upkeep.test.ts')
await import('./offline-store-selection.test.ts')
await import('./training-set-store.test.ts')
