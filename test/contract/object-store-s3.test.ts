/** The S3 adapter against a real S3 server. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { openTestObjects, useCredentials } from '../support/s3/open-objects.ts'
import { type S3Server, startS3Server } from '../support/s3/s3-server.mjs'
import { objectStoreContract } from './object-store.ts'

let server: S3Server
beforeAll(async () => {
  server = await startS3Server()
  useCredentials(server.credentials)
})
afterAll(() => server.dispose())

for (const prefix of ['', 'pre fix/ünd/']) {
  objectStoreContract(prefix === '' ? 's3' : 's3 below a prefix', async () => {
    const bucket = await server.makeBucket()
    const cacheDir = await mkdtemp(join(tmpdir(), 'twinstore-s3-cache-'))
    const open = () => openTestObjects({ endpoint: server.endpoint, bucket, prefix, cacheDir })
    const opened = [await open()]
    return {
      store: opened[0]!,
      again: async () => {
        opened.push(await open())
        return opened.at(-1)!
      },
      dispose: async () => {
        for (const store of opened) await store.close()
        await rm(cacheDir, { recursive: true, force: true })
      },
    }
  })
}
