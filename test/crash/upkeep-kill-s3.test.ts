/** The same with the table in S3, over a line on which one request in twenty fails in one way or another. */
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'vitest'
import { seededRandom, testSeed } from '../support/random.ts'
import { openTestObjects } from '../support/s3/open-objects.ts'
import { startFaultyS3 } from './faulty-s3.ts'
import { upkeepKillTest } from './upkeep-kill.ts'

const FAULTY = 0.05
const TABLE = 'views/v/v1/'

test('no row is lost or doubled in S3, and every version stays readable', { timeout: 240_000 }, async () => {
  const s3 = await startFaultyS3()
  const { server, proxy, bucket, cacheDir } = s3
  s3.inject(FAULTY, seededRandom(testSeed()))
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
  s3.expectFaults(0)
})
