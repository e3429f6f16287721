/**
 * Definitions as they were stored: all that is needed is in the object store, so that they can be loaded months later,
 * without the user's folder and without a bundler.
 */
import { TwinstoreError } from '../../domain/errors.ts'
import type { Definitions } from '../../domain/registry.ts'
import type { ObjectStore } from '../../offline/objects/object-store.ts'
import { loadComputes } from '../load/evaluate.ts'
import { type Content, fingerprintOf, registryOf, SNAPSHOT_FORMAT } from './content.ts'
import { findEntry, type LogEntry, readNewestEntry, snapshotPath } from './registry-log.ts'

export interface StoredDefinitions {
  readonly definitions: Definitions
  /** A local file with the code of the on-demand views, for `loadComputes`; undefined if there are none. */
  readonly bundleFile?: string
  readonly appliedMicros: number
}

/** What was applied last; undefined if nothing ever was. */
export async function loadCurrent(objects: ObjectStore): Promise<StoredDefinitions | undefined> {
  const entry = await readNewestEntry(objects)
  return entry === undefined ? undefined : loadEntry(objects, entry)
}

/** NOT_FOUND if these definitions were never applied here; DATA_LOSS if what is stored is not what was. */
export async function loadSnapshot(objects: ObjectStore, fingerprint: string): Promise<StoredDefinitions> {
  const entry = await findEntry(objects, fingerprint)
  if (entry === undefined) {
    throw new TwinstoreError('NOT_FOUND', `definitions ${fingerprint} were never applied to ${objects.location}`)
  }
  return loadEntry(objects, entry)
}

async function loadEntry(objects: ObjectStore, entry: LogEntry): Promise<StoredDefinitions> {
  const content = await readContent(objects, entry)
  const registry = registryOf(content, entry.layouts, entry.project, entry.fingerprint)
  const { appliedMicros } = entry
  if (!entry.hasCode) return { definitions: { registry, computes: new Map() }, appliedMicros }
  const bundleFile = await borrowBundle(objects, entry.fingerprint)
  return { definitions: { registry, computes: await loadComputes(bundleFile) }, bundleFile, appliedMicros }
}

/**
 * A local file with the code of stored definitions. It is never given back: the module made from it stays with this process too,
 * and jobs of any later request may load it again.
 */
export async function borrowBundle(objects: ObjectStore, fingerprint: string): Promise<string> {
  return (await objects.borrow(snapshotPath(fingerprint, 'mjs'))).file
}

/** Content and code are checked against the fingerprint, so that a damaged file is never taken for what was applied. */
export async function readContent(objects: ObjectStore, entry: LogEntry): Promise<Content> {
  const path = snapshotPath(entry.fingerprint, 'json')
  const text = (await objects.read(path))?.toString('utf8')
  const code = entry.hasCode
    ? (await objects.read(snapshotPath(entry.fingerprint, 'mjs')))?.toString('utf8')
    : undefined
  if (text === undefined || (entry.hasCode && code === undefined) || fingerprintOf(text, code) !== entry.fingerprint) {
    throw new TwinstoreError(
      'DATA_LOSS',
      `${path}${entry.hasCode ? ' or its .mjs' : ''} in ${objects.location} is damaged or gone; restore it from a backup`,
    )
  }
  const content: Content = JSON.parse(text)
  if (content.snapshotFormat === SNAPSHOT_FORMAT) return content
  throw new TwinstoreError(
    'FAILED_PRECONDITION',
    `${path} has format ${content.snapshotFormat} and this program reads ${SNAPSHOT_FORMAT}; use a newer Twinstore`,
  )
}
