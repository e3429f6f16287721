/**
 * The latest row of each of a few entities, for a request that waits.
 *
 * Files are looked into as for a history, the newest months first: an entity that was found needs no older ones.
 */
import { decodeEntityKey, type EntityKey } from '../../domain/entity-key.ts'
import type { FeatureView } from '../../domain/registry.ts'
import { pruneFiles } from '../delta/prune-files.ts'
import type { JobOptions } from '../engine.ts'
import type { TableScan } from '../table-jobs.ts'
import { filesByMonth } from './entity-history.ts'
import { lookUp } from './look-up.ts'
import type { StoreParts } from './store-parts.ts'

export async function lookUpEntities(
  { tables, engine }: StoreParts,
  view: FeatureView,
  keys: readonly EntityKey[],
  options: JobOptions,
): Promise<readonly (Buffer | null)[]> {
  const types = view.joinKeys.map((key) => key.type)
  const wanted = new Map(keys.map((key) => [key, decodeEntityKey(types, key)]))
  const found = new Map<EntityKey, Buffer>()
  const { files } = await tables.at(view)
  // An entity that no file can hold, such as a mistyped name, costs no job.
  const months = filesByMonth(pruneFiles(view, files, { entities: [...wanted.values()] }))
  for (let at = 0, count = 1; at < months.length && wanted.size > 0; at += count, count *= 2) {
    const entities = [...wanted.values()]
    const able = pruneFiles(view, months.slice(at, at + count).flat(), { entities })
    if (able.length === 0) continue
    const texts = entities.map((entity) => entity.map(String))
    const job = (table: TableScan) => engine.run('lookUp', { table, entities: texts }, options)
    const { rows } = await lookUp(tables, { view, files: able }, job, options.signal)
    for (const { key, row } of rows) {
      found.set(key, Buffer.from(row.buffer, row.byteOffset, row.length))
      wanted.delete(key)
    }
  }
  return keys.map((key) => found.get(key) ?? null)
}
