/** IngestFeatures: a stream of rows in batches, acknowledged in order on one call. */
import type { DescriptionCache } from './description.ts'
import { sendAll } from './duplex-sender.ts'
import { methodPath } from './protocol.ts'
import type { CallOptions, Transport } from './transport.ts'
import { decodeOutcomes, encodeWrite, type WriteRow } from './writes.ts'

export interface IngestOptions extends CallOptions {
  readonly ack?: 'ONLINE' | 'BOTH'
  /** Rows per batch. */
  readonly batchRows?: number
  /** Told after each acknowledged batch how many rows are acknowledged in all. */
  readonly onAcknowledged?: (rows: number) => void
}

/** What became of the rows; those acknowledged before a failure stay written. */
export interface IngestSummary {
  readonly rows: number
  readonly applied: number
  readonly superseded: number
}

const BATCH_ROWS = 500

export async function ingest(
  transport: Transport,
  descriptions: DescriptionCache,
  viewName: string,
  rows: AsyncIterable<WriteRow> | Iterable<WriteRow>,
  options: IngestOptions = {},
): Promise<IngestSummary> {
  const view = await descriptions.view(viewName)
  const call = transport.duplex(methodPath('Serving', 'IngestFeatures'), options)
  async function* requests(): AsyncGenerator<Buffer> {
    for await (const batch of batches(rows, options.batchRows ?? BATCH_ROWS)) yield encodeWrite(view, batch, options)
  }
  const summary = { rows: 0, applied: 0, superseded: 0 }
  let failure: unknown
  // It is not waited for: rows that never end must not keep the caller from hearing how the call ended.
  sendAll(call, requests()).catch((error: unknown) => {
    failure = error
  })
  try {
    for await (const answer of call) {
      for (const outcome of decodeOutcomes(answer as Buffer)) {
        summary.rows++
        if (outcome.status === 'APPLIED') summary.applied++
        else summary.superseded++
      }
      options.onAcknowledged?.(summary.rows)
    }
  } catch (error) {
    // A failure of the rows themselves cancels the call, and is what the caller must hear of, not the cancellation.
    throw failure ?? transport.error(error)
  } finally {
    call.cancel()
  }
  return summary
}

async function* batches<T>(items: AsyncIterable<T> | Iterable<T>, size: number): AsyncGenerator<T[]> {
  let batch: T[] = []
  for await (const item of items) {
    batch.push(item)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
