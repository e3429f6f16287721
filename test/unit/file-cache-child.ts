/**
 * Borrows two files of a cache and then begins to fetch a third, for ever; killed by its test. Arguments: the cache's folder, and the
 * names of the files.
 */

import { systemClock } from '../../src/lib/clock.ts'
import { openFileCache } from '../../src/offline/objects/cache/file-cache.ts'

const [dir, ...names] = process.argv.slice(2)
const limits = { bytesMax: 10_000, filesMax: 100 }
const cache = await openFileCache({ dir: dir!, scope: 's', clock: systemClock, beforeMs: 0, ...limits })
for (const name of names) {
  const borrowed = await cache.borrow(name, async (sink) => {
    await sink.expect(1000)
    await sink.write(Buffer.alloc(1000, name[0]))
  })
  process.stdout.write(`${borrowed.file}\n`)
}
await cache.borrow('never-whole', async (sink) => {
  await sink.expect(1000)
  await sink.write(Buffer.alloc(999, 'x'))
  process.stdout.write('fetching\n')
  await new Promise((resolve) => setTimeout(resolve, 2 ** 30))
})
