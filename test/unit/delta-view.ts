/** A view with every feature type, and data files of it, for the tests of the Delta log. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { FeatureView } from '../../src/domain/registry.ts'
import { parseTypeName } from '../../src/domain/value-type.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import type { AddFile } from '../../src/offline/delta/actions.ts'
import type { DeltaTableOptions } from '../../src/offline/delta/delta-table.ts'
import { openFolderObjects } from '../../src/offline/objects/folder-objects.ts'
import type { ObjectStore } from '../../src/offline/objects/object-store.ts'

export const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678)

export function viewOf(features: Readonly<Record<string, string>>): FeatureView {
  return {
    name: 'airport_daily',
    version: 1,
    entities: ['route'],
    joinKeys: [
      { name: 'airport', type: 'string' },
      { name: 'carrier', type: 'int64' },
    ],
    features: Object.entries(features).map(([name, type]) => ({ name, type: parseTypeName(type)! })),
    schemaId: 1,
    schemaFeatureCounts: [Object.keys(features).length],
    onStale: 'serve',
    partitionBy: 'day',
    online: true,
  }
}

export const VIEW = viewOf({
  a_bool: 'bool',
  an_int32: 'int32',
  an_int64: 'int64',
  a_float: 'float',
  a_double: 'double',
  a_string: 'string',
  some_bytes: 'bytes',
  a_timestamp: 'timestamp',
  a_list: 'list<string>',
  a_vector: 'vector<3>',
})

const clock: Clock = { ...systemClock, nowMicros: () => NOW_MS * 1000 }

export const OPTIONS: DeltaTableOptions = {
  clock,
  engineInfo: 'Twinstore/0.0.0-test',
  commitAttemptsMax: 100,
  logReadsMax: 4,
}

/** A store in a folder that goes away with the test. */
export async function temporaryObjects(): Promise<ObjectStore> {
  const dir = await mkdtemp(join(tmpdir(), 'twinstore-delta-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return openFolderObjects(dir)
}

export function fileAt(path: string, stats?: string): AddFile {
  return {
    path,
    partitionValues: { event_date: '2001-01-01' },
    size: 1,
    modificationTime: NOW_MS,
    dataChange: true,
    ...(stats === undefined ? {} : { stats }),
  }
}

export function entryPath(table: string, version: number): string {
  return `${table}/_delta_log/${String(version).padStart(20, '0')}.json`
}
