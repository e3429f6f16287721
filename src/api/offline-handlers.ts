/** The `Offline` service without a transport: plain objects in, plain objects or streams of parts out. */
import type { DefinitionsSource } from '../domain/definitions-source.ts'
import type { SourceFile } from '../domain/registry.ts'
import type { OfflineStore } from '../offline/offline-store.ts'
import type { Archiver } from '../writing/archiver.ts'
import type { CallContext, Snapshots } from './collaborators.ts'
import type { DatasetPart, DatasetStreamSettings } from './dataset-stream.ts'
import { type ExportCall, exportFeatures } from './export-handler.ts'
import { getHistory, type HistoryAnswer, type HistoryCall } from './history-handler.ts'
import { getTrainingSet, type TrainingSetPart } from './training-set-handler.ts'

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

export interface OfflineHandlers {
  exportFeatures(call: ExportCall, context: CallContext): AsyncIterable<DatasetPart>
  /** The first part is the spec, the others are the spine. */
  getTrainingSet(parts: AsyncIterable<TrainingSetPart>, context: CallContext): AsyncIterable<DatasetPart>
  getHistory(call: HistoryCall, context: CallContext): Promise<HistoryAnswer>
}

export function createOfflineHandlers(parts: OfflineParts): OfflineHandlers {
  return {
    exportFeatures: (call, context) => exportFeatures(parts, call, context),
    getTrainingSet: (incoming, context) => getTrainingSet(parts, incoming, context),
    getHistory: (call, context) => getHistory(parts, call, context),
  }
}
