/** GetTrainingSet: a spine sent at the server's pace, the training set read back as a data set with its pin. */
import { type DatasetStream, openDataset, type Progress } from './dataset.ts'
import { sendAll } from './duplex-sender.ts'
import type { DatasetFormat } from './export.ts'
import { encodeMessage, methodPath } from './protocol.ts'
import type { CallOptions, Transport } from './transport.ts'

export interface TrainingSetOptions extends CallOptions {
  readonly service: string
  /** The spine file's bytes (for example `fs.createReadStream(...)`), or the name of a source file of the definitions. */
  readonly spine: AsyncIterable<Uint8Array> | { readonly source: string }
  /** Parquet unless given. */
  readonly spineFormat?: 'parquet' | 'csv' | 'arrow'
  /** Not needed with a pin, like `mode` and `format`. */
  readonly timestampColumn?: string
  readonly mode?: 'EVENT_TIME' | 'AS_SERVED'
  readonly format?: DatasetFormat
  /** The pin or the manifest of an earlier training set: the same spine then gives the same bytes. */
  readonly pinJson?: string
  readonly onProgress?: (progress: Progress) => void
}

/** Well below the smallest sensible `grpc-message-bytes-max`. */
const SPINE_MESSAGE_BYTES = 256 * 1024

export async function trainingSet(transport: Transport, options: TrainingSetOptions): Promise<DatasetStream> {
  const call = transport.duplex(methodPath('Offline', 'GetTrainingSet'), options)
  // A failure of the spine itself cancels the call, and is what the caller must hear of, not the cancellation.
  const [sent, opened] = await Promise.allSettled([
    sendAll(call, requests(options)),
    openDataset(call, transport, options.onProgress),
  ])
  if (sent.status === 'rejected') throw sent.reason
  if (opened.status === 'rejected') throw opened.reason
  return opened.value
}

async function* requests(options: TrainingSetOptions): AsyncGenerator<Buffer> {
  yield encodeMessage('TrainingSetRequest', { spec: specMessage(options) })
  if ('source' in options.spine) return
  for await (const bytes of options.spine) {
    for (let at = 0; at < bytes.length; at += SPINE_MESSAGE_BYTES) {
      yield encodeMessage('TrainingSetRequest', { spine: bytes.subarray(at, at + SPINE_MESSAGE_BYTES) })
    }
  }
}

function specMessage(options: TrainingSetOptions): object {
  return {
    featureService: options.service,
    ...(options.spineFormat === undefined ? {} : { spineFormat: `SPINE_FORMAT_${options.spineFormat.toUpperCase()}` }),
    ...(options.timestampColumn === undefined ? {} : { timestampColumn: options.timestampColumn }),
    ...(options.mode === undefined ? {} : { mode: `JOIN_MODE_${options.mode}` }),
    ...(options.format === undefined ? {} : { format: `DATASET_FORMAT_${options.format.toUpperCase()}` }),
    ...(options.pinJson === undefined ? {} : { pinJson: options.pinJson }),
    ...('source' in options.spine ? { spineSource: options.spine.source } : {}),
  }
}
