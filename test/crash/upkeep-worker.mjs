/**
 * A process that appends to a table, compacts it or vacuums it until it kills itself at a point that `seed` chooses: before or after
 * one of its operations on the object store, or some time after it began, in the middle of a job. The checkpoints
 * that are due with its commits are its own too.
 * Arguments: folder, role, seed, shard, and the options of S3 as JSON if the table is there and not in the folder. An appender prints the greatest position of every append that was acknowledged.
 */
import { join } from 'node:path'
import { entityKey, rowKey } from '../../dist/domain/entity-key.js'
import { encodeRow } from '../../dist/domain/row-codec.js'
import { encodeValue } from '../../dist/domain/value-codec.js'
import { systemClock } from '../../dist/lib/clock.js'
import { createInlineEngine } from '../../dist/offline/duckdb/job-runner.js'
import { openFolderObjects } from '../../dist/offline/objects/folder-objects.js'
import { openS3Objects } from '../../dist/offline/objects/s3/open-s3-objects.js'
import { openDeltaOfflineStore } from '../../dist/offline/store/delta-offline-store.js'

const [dir, role, seed, shard] = [process.argv[2], process.argv[3], Number(process.argv[4]), Number(process.argv[5])]

/** So that everything unneeded is old. Only for a process that is alone. */
const AHEAD_MICROS = role === 'vacuum' ? 10 * 86_400_000_000 : 0
const DAY_MICROS = 86_400_000_000
/** A few appends or compactions, with what they wait for. */
const OPERATIONS_MAX = role === 'vacuum' ? 12 : 60
const RUN_MS_MAX = 3000

const random = mulberry32(seed)
const fatalOperation = Math.floor(random() * OPERATIONS_MAX)
const diesBefore = random() < 0.5
// A compactor may find nothing to do any more. Vacuum must get through at times.
if (role !== 'vacuum' || random() < 0.4) setTimeout(die, random() * RUN_MS_MAX)

function die() {
  process.kill(process.pid, 'SIGKILL')
}

let operations = 0
/** Dies with one of the operations that change something. */
function mortal(objects) {
  return new Proxy(objects, {
    get(target, name) {
      const value = target[name]
      if (!['putIfAbsent', 'put', 'upload', 'delete'].includes(name)) {
        return typeof value === 'function' ? value.bind(target) : value
      }
      return async (...args) => {
        const isFatal = operations++ === fatalOperation
        if (isFatal && diesBefore) die()
        const result = await value.apply(target, args)
        if (isFatal) die()
        return result
      }
    },
  })
}

function openObjects(s3) {
  if (s3 === undefined) return openFolderObjects(join(dir, 'offline'))
  const here = { cacheDir: join(dir, 'cache'), clock: systemClock, random: Math.random, onFault: () => {} }
  return openS3Objects({ ...here, ...JSON.parse(s3) })
}

const clock = { ...systemClock, nowMicros: () => systemClock.nowMicros() + AHEAD_MICROS }
const limits = { memoryBytes: 200_000_000, threads: 1, spillBytesMax: 2 ** 30, sliceValuesMax: 1_000_000 }
const store = openDeltaOfflineStore({
  objects: mortal(await openObjects(process.argv[6])),
  engine: createInlineEngine({ ...limits, spillDir: join(dir, 'spill') }, systemClock),
  engineName: 'test',
  resolveSource: async () => '',
  table: { clock, engineInfo: 'Twinstore/test', commitAttemptsMax: 1000, logReadsMax: 8 },
  checkpoints: { everyVersions: 3, tombstoneAgeMs: 86_400_000, onFault: () => {} },
  spoolDir: join(dir, 'spool'),
  spoolBytesMax: 1e9,
  filesAtOnce: 2,
  verifiedFilesMax: 1000,
  latestBatchRows: 100,
})

const view = {
  name: 'v',
  version: 1,
  entities: ['e'],
  joinKeys: [{ name: 'k', type: 'string' }],
  features: [{ name: 'n', type: { kind: 'int64' } }],
  schemaId: 1,
  schemaFeatureCounts: [1],
  onStale: 'serve',
  partitionBy: 'day',
  online: true,
}

if (role === 'append') {
  const source = { storeId: 'store', shard }
  let [position] = await store.archivedPositions(view, [source])
  for (;;) {
    const entries = Array.from({ length: 1 + Math.floor(random() * 3) }, () => rowOf(++position))
    await store.append(view, [{ source, entries }])
    process.stdout.write(`${position}\n`)
  }
} else if (role === 'compact') {
  const request = { targetBytes: 2 ** 20, filesMin: 2, runBytesMax: 2 ** 30, batchFilesMax: 4 }
  for (;;) await store.compact(view, request)
} else {
  await store.vacuum(view, { ageMs: 86_400_000, filesMax: 1000 })
  process.stdout.write('done\n')
  await store.close()
  process.exit(0)
}

function rowOf(position) {
  const key = rowKey('v', entityKey(['string'], [`k${shard}`]))
  const eventMicros = (position % 2) * DAY_MICROS + position
  const values = [encodeValue({ kind: 'int64' }, BigInt(position))]
  return { key, position, row: encodeRow({ schemaId: 1, eventMicros, createdMicros: position, position, values }) }
}

function mulberry32(start) {
  let state = start >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
