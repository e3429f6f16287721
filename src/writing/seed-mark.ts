/**
 * How far the online store holds what a view's table holds: a note kept in the online store itself, so that it is lost with
 * what it is about.
 *
 * `through` says that every row of the table at that version is online, or a greater one is. A *pass* brings rows to it
 * entity by entity, in key order; its note says that this is done for entities up to `after`, so that whoever comes next, after a
 * crash say, goes on from there. Both only ever state what is done already, so instances need not agree on who writes them.
 */

import type { FeatureView } from '../domain/registry.ts'
import { storageId } from '../domain/registry.ts'
import type { Position } from '../domain/version.ts'
import type { OnlineStore } from '../online/online-store.ts'

export interface SeedPoint {
  readonly version: number
  /** Of the last sync in the table at that version. */
  readonly syncPosition: Position | 0
}

export interface SeedPass {
  /** Made when it began. Who finds another one in the note has been overtaken by a pass begun anew, and writes no more notes. */
  readonly id: string
  /** Only rows that the table got after this version; undefined: all. */
  readonly since?: number
  /** The table when it began: what `through` will be. */
  readonly point: SeedPoint
  /** Join-key values, as text, of the last entity that is done. */
  readonly after?: readonly string[]
  /** Entities that are done. */
  readonly entities: number
}

export interface SeedMark {
  readonly through?: SeedPoint
  readonly pass?: SeedPass
}

type Marks = Pick<OnlineStore, 'readMark' | 'writeMark'>

/** Empty if there is none, and for one of an earlier program, which kept only a version. */
export async function readSeedMark(online: Marks, view: FeatureView): Promise<SeedMark> {
  const text = await online.readMark(markOf(view))
  return text?.startsWith('{') ? (JSON.parse(text) as SeedMark) : {}
}

export async function writeSeedMark(online: Marks, view: FeatureView, mark: SeedMark): Promise<void> {
  await online.writeMark(markOf(view), JSON.stringify(mark))
}

function markOf(view: FeatureView): string {
  return `sync/${storageId(view)}`
}
