/**
 * Brings the online store to what a view's definition says of it, and notes there that it is so: all entities, some, or none. When
 * another definition is applied the note does not fit any more, and what is missing is brought, or what is too much is removed.
 */
import { type FeatureView, onlineExtent, storageId } from '../domain/registry.ts'
import type { OnlineStore } from '../online/online-store.ts'
import { applyLimit, type LimitOptions, type LimitParts, removeAll } from './online-limit.ts'
import { type SeedOptions, type SeedParts, type SeedResult, seedOnline } from './online-seed.ts'

export type ExtentParts = SeedParts & LimitParts

/** As `seedOnline`, for views that keep only some entities online too: of those, what is kept. */
export async function bringOnline(parts: ExtentParts, view: FeatureView, options: SeedOptions): Promise<SeedResult> {
  if (onlineExtent(view) !== 'some') return seedOnline(parts, view, options)
  const { rowsRead, rowsOnline, tableVersion } = await applyLimit(parts, view, options)
  await noteExtent(parts.online, view, parts.clock.nowMicros() / 1000)
  return { rowsRead, rowsOnline, tableVersion, entitiesResumed: 0 }
}

/** Does what a change of the definition asks for; nothing if the note says that it is done. */
export async function settleExtent(parts: ExtentParts, view: FeatureView, options: LimitOptions): Promise<void> {
  const { online, clock } = parts
  const noted = (await readExtent(online, view))?.extent
  const extent = extentOf(view)
  // A view without a note has always had all its entities online, as every view had before there were notes.
  if (noted === extent || (noted === undefined && extent === ALL)) return
  if (onlineExtent(view) === 'none') await removeAll(parts, view, options)
  else await bringOnline(parts, view, { ...options, goal: 'all', anew: true })
  await noteExtent(online, view, clock.nowMicros() / 1000)
}

/** Wall time at which the view's limit was applied last, milliseconds. */
export async function limitAppliedMs(
  online: Pick<OnlineStore, 'readMark'>,
  view: FeatureView,
): Promise<number | undefined> {
  const note = await readExtent(online, view)
  return note?.extent === extentOf(view) ? note.atMs : undefined
}

interface ExtentNote {
  readonly extent: string
  readonly atMs: number
}

const ALL = 'all'

function extentOf(view: FeatureView): string {
  const { keepOnline } = view
  if (keepOnline === undefined || !view.online) return onlineExtent(view)
  return `the ${keepOnline.limit} with the greatest ${keepOnline.topBy}`
}

async function readExtent(online: Pick<OnlineStore, 'readMark'>, view: FeatureView): Promise<ExtentNote | undefined> {
  const text = await online.readMark(noteOf(view))
  return text === undefined ? undefined : (JSON.parse(text) as ExtentNote)
}

function noteExtent(online: Pick<OnlineStore, 'writeMark'>, view: FeatureView, atMs: number): Promise<void> {
  return online.writeMark(noteOf(view), JSON.stringify({ extent: extentOf(view), atMs } satisfies ExtentNote))
}

function noteOf(view: FeatureView): string {
  return `extent/${storageId(view)}`
}
