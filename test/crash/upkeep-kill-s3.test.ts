/** The same with the table in S3, over a line on which one request in twenty fails in one way or another. */
import { mkdtempSync, rmSync } from 'node:fs'
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { seededRandom, testSeed } from '../support/random.ts'
import { type FaultProxy, S3_FAULTS, startFaultProxy } from '../support/s3/fault-proxy.ts'
import { openTestObjects, useCredentials } from '../support/s3/open-objects.ts'
import { type S3Server, startS3Server } from '../support/s3/s3-server.mjs'
import { upkeepKillTest } from './upkeep-kill.ts'

const FAULTY = 0.05
const TABLE = 'views/v/v1/'

let server: S3Server
let proxy: FaultProxy
let cacheDir: string
beforeAll(async () => {
  server = await startS3Server()
  useCredentials(server.credentials)
  proxy = await startFaultProxy(server.endpoint)
  cacheDir = mkdtempSync(join(tmpdir(), 'twinstore-upkeep-cache-'))
})
afterAll(async () => {
  await proxy?.dispose()
  await server?.dispose()
  rmSync(cacheDir, { recursive: true, force: true })
})

test('no row is lost or doubled in S3, and every version stays readable', { timeout: 240_000 }, async () => {
  const bucket = await server.makeBucket()
  const random = seededRandom(testSeed())
  proxy.inject(() => (random() < FAULTY ? S3_FAULTS[Math.floor(random() * S3_FAULTS.length)] : undefined))
  const options = {
    location: { bucket, prefix: '', endpoint: proxy.endpoint, region: server.region, pathStyle: true },
    requests: {
      connectionsMax: 16,
      connectTimeoutMs: 5000,
      requestTimeoutMs: 400,
      attemptsMax: 20,
      retryMinMs: 5,
      retryMaxMs: 50,
    },
    uploads: { partBytes: 16 * 2 ** 20, partsAtOnce: 4 },
    cache: { bytesMax: 2 ** 30, filesMax: 10_000 },
    staleAgeMs: 86_400_000,
  }
  await upkeepKillTest({
    rounds: 3,
    workerArguments: [JSON.stringify(options)],
    async tableFolder(dir) {
      await proxy.settled()
      const folder = await mkdtemp(join(dir, 'table-'))
      const objects = await openTestObjects({ endpoint: server.endpoint, bucket, cacheDir })
      for await (const { path } of objects.list(TABLE)) {
        const file = join(folder, path.slice(TABLE.length))
        await mkdir(dirname(file), { recursive: true })
        await writeFile(file, (await objects.read(path))!)
      }
      await objects.close()
      return folder
    },
  })
  const faults = proxy.requests.filter(({ fault }) => fault !== undefined).length
  console.log(`${faults} faults in ${proxy.requests.length} requests`)
  expect(faults).toBeGreaterThan(0)
})
