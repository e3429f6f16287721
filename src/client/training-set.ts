/** GetTrainingSet: a spine sent at the server's pace, the training set read back as a data set with its pin. */
import { TwinstoreError } from '../domain/errors.ts'
import {
  type DatasetCall,
  type DatasetOptions,
  type DatasetStream,
  openDataset,
  type ResumeMessage,
} from './dataset.ts'
import { type ReceivedContent, receivedContent } from './dataset-content.ts'
import { sendAll } from './duplex-sender.ts'
import type { DatasetFormat } from './export.ts'
import { encodeMessage, methodPath } from './protocol.ts'
import type { Transport } from './transport.ts'

export interface TrainingSetOptions extends DatasetOptions {
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
}

/** Well below the smallest sensible `grpc-message-bytes-max`. */
const SPINE_MESSAGE_BYTES = 256 * 1024

export async function trainingSet(transport: Transport, options: TrainingSetOptions): Promise<DatasetStream> {
  const content = await receivedContent(options.resume?.received)
  if (options.resume === undefined) return opened(transport, options, content, true)
  try {
    // A server that still has the training set wants no spine, and would not read it.
    return await opened(transport, options, content, false)
  } catch (error) {
    if (!(error instanceof TwinstoreError) || error.code !== 'NOT_FOUND') throw error
    return opened(transport, options, content, true)
  }
}

/** A spine can be sent once: after a break within this call, the rest is asked for without it. */
async function opened(
  transport: Transport,
  options: TrainingSetOptions,
  content: ReceivedContent,
  withSpine: boolean,
): Promise<DatasetStream> {
  let spineLeft = withSpine
  let sent: Promise<void> = Promise.resolve()
  const call: DatasetCall = {
    begin: (resume, callOptions) => {
      const duplex = transport.duplex(methodPath('Offline', 'GetTrainingSet'), callOptions)
      sent = sendAll(duplex, requests(options, resume, spineLeft))
      sent.catch(() => undefined)
      spineLeft = false
      return duplex
    },
    repeatable: false,
  }
  // A failure of the spine itself cancels the call, and is what the caller must hear of, not the cancellation.
  const [dataset] = await Promise.allSettled([openDataset(call, transport, options, content)])
  await sent
  if (dataset.status === 'rejected') throw dataset.reason
  return dataset.value
}

async function* requests(
  options: TrainingSetOptions,
  resume: ResumeMessage | undefined,
  withSpine: boolean,
): AsyncGenerator<Buffer> {
  yield encodeMessage('TrainingSetRequest', { spec: { ...specMessage(options), ...(resume && { resume }) } })
  if ('source' in options.spine || !withSpine) return
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
