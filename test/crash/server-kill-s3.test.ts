/** The same, with the history in S3, and a line to it on which about one request in eight fails in one way or another. */
import { expect, test } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { openDeltaTable } from '../../src/offline/delta/delta-table.ts'
import type { ObjectStore } from '../../src/offline/objects/object-store.ts'
import { seededRandom, testSeed } from '../support/random.ts'
import { openTestObjects } from '../support/s3/open-objects.ts'
import { startFaultyS3 } from './faulty-s3.ts'
import { serverKillTest } from './server-kill.ts'

const FAULTY = 0.12
const TABLE = 'views/ledger/v1'

test('no acknowledged row is lost or doubled over 8 kills and many faults of S3', {
  timeout: 300_000,
}, async () => {
  const s3 = await startFaultyS3()
  const { server, proxy, bucket, cacheDir } = s3
  s3.inject(FAULTY, seededRandom(testSeed()))
  const flags = ['--offline', `s3://${bucket}/twin`, '--s3-endpoint', proxy.endpoint]
  const limits = ['--s3-request-timeout', '400ms', '--s3-retry-min', '5ms', '--s3-attempts-max', '10']
  await serverKillTest({
    kills: 8,
    lifeMsMax: 1000,
    startMsMax: 1200,
    rowsPerLife: 30,
    flags: () => [...flags, ...limits],
    async afterwards() {
      await proxy.settled()
      const objects = await openTestObjects({ endpoint: server.endpoint, bucket, prefix: 'twin/', cacheDir })
      await everyVersionIsThere(objects)
      await objects.close()
    },
  })
  s3.expectFaults(20)
})

/** Each version has its entry, and every file that it names is there with the size it names. */
async function everyVersionIsThere(objects: ObjectStore): Promise<void> {
  const sizes = new Map<string, number>()
  for await (const { path, bytes } of objects.list(`${TABLE}/`)) sizes.set(path, bytes)
  const limits = { commitAttemptsMax: 1, logReadsMax: 16 }
  const table = openDeltaTable(objects, TABLE, { clock: systemClock, engineInfo: 'test', ...limits })
  const newest = (await table.snapshot())!
  expect(newest.version).toBeGreaterThan(1)
  for (let version = 0; version <= newest.version; version++) {
    const { files } = await table.snapshotAt(version)
    const damaged = files.filter((file) => sizes.get(`${TABLE}/${file.path}`) !== file.size)
    expect(damaged, `files of version ${version}`).toEqual([])
  }
}
