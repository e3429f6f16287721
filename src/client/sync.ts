/** Sync: progress on the way, a result per view at the end. */
import type { ErrorCode } from '../domain/errors.ts'
import type { Progress } from './dataset.ts'
import { decodeMessage, encodeMessage, methodPath } from './protocol.ts'
import type { CallOptions, Transport } from './transport.ts'

export interface SyncOptions extends CallOptions {
  /** None: every view with a source; for a rebuild, every view that is kept online. */
  readonly views?: readonly string[]
  /** Brings the latest rows of the history back to the online store, which has lost some, instead of reading sources. */
  readonly rebuild?: boolean
  /** A rebuild from the beginning, also over what is noted to be online. */
  readonly anew?: boolean
  readonly onProgress?: (view: string, progress: Progress) => void
  /** Called for each view that is done, and for each that failed, also when the call then rejects. */
  readonly onResult?: (result: SyncResult) => void
  readonly onFailure?: (failure: SyncFailure) => void
}

/** Why the run of one view failed. */
export interface SyncFailure {
  readonly view: string
  /** `ABORTED`: another run of the view is under way, or came first. */
  readonly code: ErrorCode
  readonly message: string
}

/** What the sync, or the rebuild, of one view did. */
export interface SyncResult {
  readonly view: string
  /** Of the source; in a rebuild, latest rows of the history that were gone over. */
  readonly rowsRead: number
  /** New rows in the offline history. */
  readonly rowsAdded: number
  /** Rows that became the online value. */
  readonly rowsOnline: number
  readonly tableVersion: number
  readonly seconds: number
  /** Entities that an earlier run had brought online before it was ended. */
  readonly entitiesResumed: number
  /** Both stores had everything already. */
  readonly upToDate: boolean
}

interface SyncMessage {
  readonly progress?: { readonly view: string; readonly progress: Progress }
  /** Its 64-bit counts are decimal strings. */
  readonly result?: SyncResult
  readonly failure?: SyncFailure
}

export async function sync(transport: Transport, options: SyncOptions = {}): Promise<readonly SyncResult[]> {
  const { views = [], rebuild = false, anew = false } = options
  const request = encodeMessage('SyncRequest', { views, rebuild, anew })
  const call = transport.serverStream(methodPath('Admin', 'Sync'), request, options)
  const results: SyncResult[] = []
  try {
    for await (const bytes of call) {
      const { progress, result, failure } = decodeMessage<SyncMessage>('SyncResponse', bytes as Buffer)
      if (progress !== undefined) options.onProgress?.(progress.view, progress.progress)
      if (failure !== undefined) options.onFailure?.(failure)
      if (result !== undefined) results.push(plainResult(result))
      if (result !== undefined) options.onResult?.(results.at(-1)!)
    }
  } catch (error) {
    throw transport.error(error)
  }
  return results
}

/** proto-loader gives 64-bit counts as decimal strings. */
function plainResult(result: SyncResult): SyncResult {
  const { view, seconds, upToDate, ...counts } = result
  const numbers = Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, Number(count)]))
  return { view, ...(numbers as typeof counts), seconds, upToDate }
}
