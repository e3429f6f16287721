/**
 * Which tables Twinstore can read and write: reader version 1 and writer version 2 of the Delta protocol, or a later version
 * whose feature lists name nothing beyond those. Anything else is refused by name, because a reader that overlooks, say,
 * a deletion vector gives wrong rows.
 */
import { TwinstoreError } from '../../domain/errors.ts'
import type { Metadata, Protocol } from './actions.ts'

/** What Twinstore's own tables ask of other engines. */
export const TABLE_PROTOCOL: Protocol = { minReaderVersion: 1, minWriterVersion: 2 }

/** The versions from which the features are listed one by one. */
const READER_FEATURES_FROM = 3
const WRITER_FEATURES_FROM = 7
/** The features that writer version 2 stands for. */
const WRITER_FEATURES = ['appendOnly', 'invariants']

/** Throws FAILED_PRECONDITION naming the version or features that the table needs a reader to know. */
export function checkReadable(table: string, protocol: Protocol, metadata: Metadata): void {
  const { minReaderVersion } = protocol
  const missing = missingFeatures(
    'reader',
    minReaderVersion,
    TABLE_PROTOCOL.minReaderVersion,
    READER_FEATURES_FROM,
    protocol.readerFeatures ?? [],
    [],
  )
  if (missing !== undefined) throw unsupported(table, 'read', missing)
  if (metadata.format.provider !== 'parquet') throw unsupported(table, 'read', `format ${metadata.format.provider}`)
}

/** Throws FAILED_PRECONDITION naming the version, features or invariants that the table needs a writer to know. */
export function checkWritable(table: string, protocol: Protocol, metadata: Metadata): void {
  checkReadable(table, protocol, metadata)
  const { minWriterVersion } = protocol
  const missing = missingFeatures(
    'writer',
    minWriterVersion,
    TABLE_PROTOCOL.minWriterVersion,
    WRITER_FEATURES_FROM,
    protocol.writerFeatures ?? [],
    WRITER_FEATURES,
  )
  if (missing !== undefined) throw unsupported(table, 'write', missing)
  if (metadata.schemaString.includes('"delta.invariants"')) throw unsupported(table, 'write', 'column invariants')
}

function missingFeatures(
  role: 'reader' | 'writer',
  version: number,
  supportedVersion: number,
  featuresFrom: number,
  listed: readonly string[],
  supported: readonly string[],
): string | undefined {
  if (version <= supportedVersion) return undefined
  if (version !== featuresFrom) return `${role} version ${version}`
  const unknown = listed.filter((feature) => !supported.includes(feature))
  return unknown.length === 0 ? undefined : `${role} features ${unknown.join(', ')}`
}

function unsupported(table: string, verb: 'read' | 'write', what: string): TwinstoreError {
  const { minReaderVersion, minWriterVersion } = TABLE_PROTOCOL
  return new TwinstoreError(
    'FAILED_PRECONDITION',
    `Delta table ${table} cannot be ${verb === 'read' ? 'read' : 'written'}: it needs ${what}, and Twinstore supports ` +
      `reader version ${minReaderVersion} and writer version ${minWriterVersion} only`,
  )
}
