/** The S3 adapter against a real S3 server. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { boundedParallel } from '../../src/lib/bounded-parallel.ts'
import { openTestObjects, useCredentials } from '../support/s3/open-objects.ts'
import { type S3Server, startS3Server } from '../support/s3/s3-server.mjs'
import { objectStoreContract } from './object-store.ts'

let server: S3Server
beforeAll(async () => {
  server = await startS3Server()
  useCredentials(server.credentials)
})
afterAll(() => server.dispose())

test('a listing goes on over pages, also from the middle', async () => {
  const bucket = await server.makeBucket()
  const cacheDir = await mkdtemp(join(tmpdir(), 'twinstore-s3-cache-'))
  const store = await openTestObjects({ endpoint: server.endpoint, bucket, prefix: 'p/', cacheDir })
  // A page has a thousand.
  const paths = Array.from({ length: 1100 }, (_, number) => `a/${String(number).padStart(4, '0')}`)
  await boundedParallel(paths, 16, (path) => store.put(path, Buffer.from('.')))
  await store.put('b', Buffer.from('.'))
  const listed = async (prefix: string, startAfter?: string) => {
    const found: string[] = []
    for await (const { path } of store.list(prefix, startAfter)) found.push(path)
    return found
  }
  expect(await listed('a/')).toEqual(paths)
  expect(await listed('', 'a/0049')).toEqual([...paths.slice(50), 'b'])
  await store.close()
  await rm(cacheDir, { recursive: true, force: true })
})

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
