/**
 * Statistics documents in the object store: `statistics/<view>/v<view version>/<table version>-<recorded>.json`, both numbers
 * with leading zeros, so that a listing has them in the order of their table versions and times. Immutable; the oldest go
 * when there are more than are to be kept.
 */
import { TwinstoreError } from '../domain/errors.ts'
import type { FeatureView } from '../domain/registry.ts'
import type { ObjectStore } from '../offline/objects/object-store.ts'
import { documentBytes, parseDocument, type StatisticsDocument } from './statistics-document.ts'

export interface StatisticsDocuments {
  /** Keeps the document; its path. */
  keep(view: FeatureView, document: StatisticsDocument): Promise<string>
  /** At most `limit` documents of the view, newest first. */
  newest(view: FeatureView, limit: number): Promise<readonly StatisticsDocument[]>
}

/** As Delta writes the versions of a log. */
const VERSION_DIGITS = 20
const MILLIS_DIGITS = 15
/** Two instances may describe the same table version in the same millisecond; not ten. */
const NAMES_TRIED = 10

/** `keptMax`: option `statistics-kept-max`, per view and view version. */
export function openStatisticsDocuments(
  objects: Pick<ObjectStore, 'putIfAbsent' | 'list' | 'read' | 'delete'>,
  keptMax: number,
): StatisticsDocuments {
  async function paths(view: FeatureView): Promise<string[]> {
    const found: string[] = []
    for await (const { path } of objects.list(folderOf(view))) found.push(path)
    return found
  }

  return {
    async keep(view, document) {
      const recordedMs = Date.parse(document.recordedAt)
      for (let attempt = 0; attempt < NAMES_TRIED; attempt++) {
        const path = `${folderOf(view)}${digits(document.tableVersion, VERSION_DIGITS)}-${digits(recordedMs + attempt, MILLIS_DIGITS)}.json`
        if (!(await objects.putIfAbsent(path, documentBytes(document)))) continue
        const all = await paths(view)
        for (const old of all.slice(0, Math.max(0, all.length - keptMax))) await objects.delete(old)
        return path
      }
      throw new TwinstoreError('ABORTED', `statistics of view ${view.name} are being made elsewhere; try again later`)
    },
    async newest(view, limit) {
      const documents: StatisticsDocument[] = []
      for (const path of (await paths(view)).reverse().slice(0, limit)) {
        // One that was just dropped by another instance is not there any more.
        const bytes = await objects.read(path)
        if (bytes !== undefined) documents.push(parseDocument(path, bytes))
      }
      return documents
    },
  }
}

function folderOf(view: FeatureView): string {
  return `statistics/${view.name}/v${view.version}/`
}

function digits(number: number, count: number): string {
  return String(number).padStart(count, '0')
}
