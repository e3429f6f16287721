/** What the handlers of the `Offline` service work with. */
import type { DefinitionsSource } from '../domain/definitions-source.ts'
import type { Definitions, SourceFile } from '../domain/registry.ts'
import type { OfflineStore } from '../offline/offline-store.ts'
import type { Archiver } from '../writing/archiver.ts'
import type { DatasetStreamSettings } from './dataset-stream.ts'

export interface OfflineParts {
  readonly definitions: DefinitionsSource
  readonly offline: OfflineStore
  readonly archiver: Pick<Archiver, 'flush'>
  readonly snapshots: Snapshots
  /** The local path of a source file of the current definitions. */
  readonly resolveSourceFile: (file: SourceFile) => Promise<string>
  /** An existing folder for spines on their way in. */
  readonly spoolDir: string
  /** The code bundle of the current definitions; undefined if they have no on-demand views. */
  readonly bundleFile: () => string | undefined
  readonly settings: OfflineSettings
}

export interface OfflineSettings extends DatasetStreamSettings {
  /** The largest spine that can be sent, bytes (option `spine-bytes-max`). */
  readonly spineBytesMax: number
  /** The most rows one GetHistory gives (option `history-rows-max`). */
  readonly historyRowsMax: number
  /** The most entities one export can be restricted to (option `export-entities-max`). */
  readonly exportEntitiesMax: number
}

/** Definitions as applied some time ago, or now. */
export interface Snapshot {
  readonly definitions: Definitions
  /** The functions of its on-demand views; undefined if it has none. */
  readonly bundleFile?: string
}

export interface Snapshots {
  /** NOT_FOUND if no definitions with this fingerprint were ever applied here. */
  load(fingerprint: string): Promise<Snapshot>
}

/** The definitions with this fingerprint; undefined: the current ones. */
export async function snapshotOf(parts: OfflineParts, fingerprint: string | undefined): Promise<Snapshot> {
  const definitions = parts.definitions.current
  if (fingerprint !== undefined && fingerprint !== definitions.registry.fingerprint) {
    return parts.snapshots.load(fingerprint)
  }
  const bundleFile = parts.bundleFile()
  return { definitions, ...(bundleFile === undefined ? {} : { bundleFile }) }
}
