/** The `Offline` service without a transport: plain objects in, plain objects or streams of parts out. */
import type { CallContext } from './call-context.ts'
import type { DatasetPart } from './dataset-stream.ts'
import { type ExportCall, exportFeatures } from './export-handler.ts'
import { getHistory, type HistoryAnswer, type HistoryCall } from './history-handler.ts'
import { createKeptDatasets } from './kept-datasets.ts'
import type { OfflineParts } from './offline-parts.ts'
import { getTrainingSet } from './training-set-handler.ts'
import type { TrainingSetPart } from './training-set-spec.ts'

export interface OfflineHandlers {
  exportFeatures(call: ExportCall, context: CallContext): AsyncIterable<DatasetPart>
  /** The first part is the spec, the others are the spine. */
  getTrainingSet(parts: AsyncIterable<TrainingSetPart>, context: CallContext): AsyncIterable<DatasetPart>
  getHistory(call: HistoryCall, context: CallContext): Promise<HistoryAnswer>
}

export function createOfflineHandlers(parts: OfflineParts): OfflineHandlers {
  const kept = createKeptDatasets(parts.settings)
  return {
    exportFeatures: (call, context) => exportFeatures(parts, kept, call, context),
    getTrainingSet: (incoming, context) => getTrainingSet(parts, kept, incoming, context),
    getHistory: (call, context) => getHistory(parts, call, context),
  }
}
