/**
 * A process that commits appends to one table at the same time as others; started by `delta-commit.test.ts`.
 * Arguments: store folder, table, name, count.
 */
import { systemClock } from '../../src/lib/clock.ts'
import type { Action } from '../../src/offline/delta/actions.ts'
import { openDeltaTable } from '../../src/offline/delta/delta-table.ts'
import { openFolderObjects } from '../../src/offline/objects/folder-objects.ts'

const [dir, path, name, count] = process.argv.slice(2) as [string, string, string, string]
const table = openDeltaTable(await openFolderObjects(dir), path, {
  clock: systemClock,
  engineInfo: 'Twinstore/committer',
  commitAttemptsMax: 1000,
  logReadsMax: 4,
})

for (let number = 1; number <= Number(count); number++) {
  const actions: Action[] = [
    {
      add: {
        path: `event_date=2001-01-01/part-${name}-${number}.parquet`,
        partitionValues: { event_date: '2001-01-01' },
        size: number,
        modificationTime: number,
        dataChange: true,
      },
    },
    { txn: { appId: `outbox/${name}/0`, version: number } },
  ]
  const result = await table.commit({
    read: await table.snapshot(),
    actions,
    operation: 'WRITE',
    onConflict: () => undefined,
  })
  if (!result.committed) throw new Error(`commit ${number} of ${name} met a conflict`)
}
