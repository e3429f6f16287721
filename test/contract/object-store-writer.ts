/** Puts objects into a folder store for ever, saying the path of each once it is there; killed by its test. Argument: the folder. */
import { openFolderObjects } from '../../src/offline/objects/folder-objects.ts'

const store = await openFolderObjects(process.argv[2]!)
for (let number = 0; ; number++) {
  const path = `${number % 7}/${number}.json`
  const bytes = Buffer.alloc(300_000, String(number % 10))
  if (number % 2) await store.put(path, bytes)
  else await store.putIfAbsent(path, bytes)
  process.stdout.write(`${path}\n`)
}
