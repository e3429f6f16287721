import { expect, test } from 'vitest'
import type { AddFile } from '../../src/offline/delta/actions.ts'
import { tableStatus } from '../../src/offline/store/table-status.ts'
import type { ViewTables } from '../../src/offline/store/view-tables.ts'
import { viewOf } from '../integration/offline-store-fixtures.ts'

/** A day's file with as many rows as its number; every tenth has statistics that say nothing. */
function fileOf(day: number): AddFile {
  const newest = new Date(Date.UTC(2001, 0, day)).toISOString()
  const stats = JSON.stringify({ numRecords: day, maxValues: { event_timestamp: newest } })
  return {
    path: `part-${day}.parquet`,
    partitionValues: {},
    size: 10,
    modificationTime: 0,
    dataChange: false,
    ...(day % 10 === 0 ? {} : { stats }),
  }
}

test('the status of a table is the sum of its files, also while its statistics are parsed a few at a time', async () => {
  const files = Array.from({ length: 203 }, (_, index) => fileOf(index + 1))
  const snapshot = { version: 7, files, txns: new Map() }
  const tables = { table: () => ({ snapshot: async () => snapshot }) } as unknown as ViewTables
  const rows = files.reduce((sum, _, index) => sum + ((index + 1) % 10 === 0 ? 0 : index + 1), 0)
  const wanted = { tableVersion: 7, files: 203, bytes: 2030, rows, newestEventMicros: Date.UTC(2001, 0, 203) * 1000 }
  expect(await tableStatus(tables, viewOf({ n: 'int64' }))).toMatchObject(wanted)
  expect(await tableStatus(tables, viewOf({ n: 'int64' }))).toMatchObject(wanted)
})
