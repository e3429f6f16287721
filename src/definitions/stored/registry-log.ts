/**
 * The registry in an object store.
 *
 *     registry/snapshots/<fingerprint>.json   the content, canonical JSON, what the fingerprint covers
 *     registry/snapshots/<fingerprint>.mjs    the code of on-demand views, if there are any
 *     registry/log/<20 digits>.json           what was applied, in order: fingerprint and layouts
 *
 * Every object is immutable. Snapshots are written before the log entry that names them, so that an entry never points to
 * nothing; the entry is put if absent, so that of two processes that apply at once one sees what the other did.
 */
import { TwinstoreError } from '../../domain/errors.ts'
import type { ObjectStore } from '../../offline/objects/object-store.ts'
import type { ViewLayouts } from './layout.ts'

const LOG_PREFIX = 'registry/log/'
const LOG_FORMAT = 1

export interface LogEntry {
  readonly logFormat: typeof LOG_FORMAT
  /** Counts entries from 1. */
  readonly index: number
  readonly project: string
  readonly fingerprint: string
  readonly hasCode: boolean
  readonly appliedMicros: number
  readonly layouts: ViewLayouts
}

export function snapshotPath(fingerprint: string, kind: 'json' | 'mjs'): string {
  return `registry/snapshots/${fingerprint}.${kind}`
}

/** The newest entry; undefined if nothing was ever applied. */
export async function readNewestEntry(objects: ObjectStore): Promise<LogEntry | undefined> {
  let newest: string | undefined
  for await (const { path } of objects.list(LOG_PREFIX)) newest = path
  return newest === undefined ? undefined : readEntry(objects, newest)
}

/** The newest entry with this fingerprint. All of them have the same layouts of the views in it: layouts only grow. */
export async function findEntry(objects: ObjectStore, fingerprint: string): Promise<LogEntry | undefined> {
  for await (const entry of newestFirst(objects)) if (entry.fingerprint === fingerprint) return entry
  return undefined
}

/** All entries, newest first, each read when it is asked for. */
export async function* newestFirst(objects: ObjectStore): AsyncIterable<LogEntry> {
  const paths: string[] = []
  for await (const { path } of objects.list(LOG_PREFIX)) paths.push(path)
  for (const path of paths.reverse()) yield await readEntry(objects, path)
}

/** False if another process wrote an entry of this index first. */
export function appendEntry(objects: ObjectStore, entry: Omit<LogEntry, 'logFormat'>): Promise<boolean> {
  const path = `${LOG_PREFIX}${String(entry.index).padStart(20, '0')}.json`
  return objects.putIfAbsent(path, Buffer.from(JSON.stringify({ logFormat: LOG_FORMAT, ...entry })))
}

async function readEntry(objects: ObjectStore, path: string): Promise<LogEntry> {
  const entry = parseEntry(await objects.read(path))
  if (entry !== undefined) return entry
  throw new TwinstoreError(
    'DATA_LOSS',
    `${path} in ${objects.location} is not a registry log entry that this program reads; restore it from a backup`,
  )
}

function parseEntry(bytes: Buffer | undefined): LogEntry | undefined {
  try {
    const entry: LogEntry = JSON.parse(bytes?.toString('utf8') ?? '')
    return entry.logFormat === LOG_FORMAT ? entry : undefined
  } catch {
    return undefined
  }
}
