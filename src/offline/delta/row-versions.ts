/**
 * Which version of the table added the rows of a file.
 *
 * A row is never removed, so a version of the table is a condition on its rows: all that were added by then. As long as every
 * file says when its rows came, any version can be read from the newest files, however they were rearranged since, and
 * whatever became of the files and log entries of that time (G5; docs/decisions/014-upkeep.md).
 *
 * A file as it was first added has rows of one version, its commit's: in a tag, which the commit writes for each version it
 * tries, and which a reader of the log supplies for files of other engines. A file that compaction wrote has the version of
 * each row in a column that is not in the table's schema, and the range of them in a tag. Only a file that another engine
 * rearranged says nothing.
 */
import type { Action, AddFile } from './actions.ts'

const VERSION_TAG = 'twinstore.version'
const ROW_VERSIONS_TAG = 'twinstore.row-versions'

export interface RowVersions {
  /** The least and the greatest version that added rows of the file. */
  readonly first: number
  readonly last: number
  /** Whether each row says its version in the column `ROW_VERSION_COLUMN`; if not, they are all of one. */
  readonly perRow: boolean
}

/** Undefined if nothing tells. */
export function rowVersionsOf(file: AddFile): RowVersions | undefined {
  const whole = /^\d{1,16}$/.exec(file.tags?.[VERSION_TAG] ?? '')
  if (whole) return { first: Number(whole[0]), last: Number(whole[0]), perRow: false }
  const range = /^(\d{1,16})-(\d{1,16})$/.exec(file.tags?.[ROW_VERSIONS_TAG] ?? '')
  return range ? { first: Number(range[1]), last: Number(range[2]), perRow: true } : undefined
}

/** The tags of a file whose rows say their versions one by one. */
export function rowVersionTags(first: number, last: number): Readonly<Record<string, string>> {
  return { [ROW_VERSIONS_TAG]: `${first}-${last}` }
}

/** The file as version `version` adds it: new rows are of that version; rearranged ones keep to what the file says. */
export function addedIn(version: number, file: AddFile): AddFile {
  if (!file.dataChange || rowVersionsOf(file) !== undefined) return file
  return { ...file, tags: { ...file.tags, [VERSION_TAG]: String(version) } }
}

/** The same for all files that a commit adds. */
export function actionsIn(version: number, actions: readonly Action[]): readonly Action[] {
  return actions.map((action) => ('add' in action ? { add: addedIn(version, action.add) } : action))
}

/** Another engine that writes new statistics of a file adds it anew, as a rearranged one and without our tags. */
export function withKnownVersions(file: AddFile, before: AddFile | undefined): AddFile {
  if (before?.tags === undefined || rowVersionsOf(file) !== undefined) return file
  return { ...file, tags: { ...before.tags, ...file.tags } }
}

/** A file that a read at some version is about, whole or in part. */
export interface VersionedFile extends AddFile {
  /** Only rows that were added up to this version; undefined: all rows. */
  readonly rowsUntilVersion?: number
}

/** Of a newer snapshot's files, those with rows that `version` had. Undefined if a file does not say which it had. */
export function filesUntil(version: number, files: readonly AddFile[]): readonly VersionedFile[] | undefined {
  const until: VersionedFile[] = []
  for (const file of files) {
    const versions = rowVersionsOf(file)
    if (versions === undefined) return undefined
    if (versions.first > version) continue
    until.push(versions.last <= version ? file : { ...file, rowsUntilVersion: version })
  }
  return until
}
