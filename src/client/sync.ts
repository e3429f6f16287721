/** Sync: progress on the way, a result per view at the end. */
import type { Progress } from './dataset.ts'
import { decodeMessage, encodeMessage, methodPath } from './protocol.ts'
import type { CallOptions, Transport } from './transport.ts'

export interface SyncOptions extends CallOptions {
  /** None: every view with a source. */
  readonly views?: readonly string[]
  readonly onProgress?: (view: string, progress: Progress) => void
}

/** What the sync of one view did. */
export interface SyncResult {
  readonly view: string
  readonly rowsRead: number
  /** New rows in the offline history. */
  readonly rowsAdded: number
  /** Rows that became the online value. */
  readonly rowsOnline: number
  readonly tableVersion: number
  readonly seconds: number
}

interface SyncMessage {
  readonly progress?: { readonly view: string; readonly progress: Progress }
  /** Its 64-bit counts are decimal strings. */
  readonly result?: SyncResult
}

export async function sync(transport: Transport, options: SyncOptions = {}): Promise<readonly SyncResult[]> {
  const request = encodeMessage('SyncRequest', { views: options.views ?? [] })
  const call = transport.serverStream(methodPath('Admin', 'Sync'), request, options)
  const results: SyncResult[] = []
  try {
    for await (const bytes of call) {
      const { progress, result } = decodeMessage<SyncMessage>('SyncResponse', bytes as Buffer)
      if (progress !== undefined) options.onProgress?.(progress.view, progress.progress)
      if (result === undefined) continue
      results.push({
        view: result.view,
        rowsRead: Number(result.rowsRead),
        rowsAdded: Number(result.rowsAdded),
        rowsOnline: Number(result.rowsOnline),
        tableVersion: Number(result.tableVersion),
        seconds: Number(result.seconds),
      })
    }
  } catch (error) {
    throw transport.error(error)
  }
  return results
}
