/** Compaction of offline tables: progress on the way, a result per view as it is done. */
import type { Progress } from './dataset.ts'
import { decodeMessage, encodeMessage, methodPath } from './protocol.ts'
import type { CallOptions, Transport } from './transport.ts'

export interface CompactOptions extends CallOptions {
  /** None: every view. */
  readonly views?: readonly string[]
  /** Also delete old files that no reader needs any more. */
  readonly vacuum?: boolean
  /** Only say what would be done. */
  readonly dryRun?: boolean
  readonly onProgress?: (view: string, progress: Progress) => void
}

/** What was done to one view's table, or would be. */
export interface CompactResult {
  readonly view: string
  /** -1: no table yet. */
  readonly tableVersion: number
  /** Small files that were replaced, and the files in their place. */
  readonly filesRemoved: number
  readonly bytesRemoved: number
  readonly filesAdded: number
  /** 0 in a dry run. */
  readonly bytesAdded: number
  /** Groups of files left for the next run. */
  readonly groupsLeft: number
  /** Groups of files that another instance compacted first. */
  readonly groupsLost: number
  readonly seconds: number
  /** Present if it was asked for. */
  readonly vacuum?: VacuumResult
}

/** Files that were deleted, or would be. */
export interface VacuumResult {
  /** Those that compaction had replaced, and those that were never committed. */
  readonly deleted: number
  readonly bytes: number
  /** Not deleted: earlier versions need them, because another engine rearranged the table. */
  readonly kept: number
  /** Left for the next run. */
  readonly filesLeft: number
}

interface CompactMessage {
  readonly progress?: { readonly view: string; readonly progress: Progress }
  /** Its 64-bit counts are decimal strings. */
  readonly result?: CompactResult
}

export async function compact(transport: Transport, options: CompactOptions = {}): Promise<readonly CompactResult[]> {
  const { views = [], vacuum = false, dryRun = false } = options
  const request = encodeMessage('CompactRequest', { views, vacuum, dryRun })
  const call = transport.serverStream(methodPath('Admin', 'Compact'), request, options)
  const results: CompactResult[] = []
  try {
    for await (const bytes of call) {
      const { progress, result } = decodeMessage<CompactMessage>('CompactResponse', bytes as Buffer)
      if (progress !== undefined) options.onProgress?.(progress.view, progress.progress)
      if (result !== undefined) results.push(plainResult(result))
    }
  } catch (error) {
    throw transport.error(error)
  }
  return results
}

function plainResult({ view, vacuum, ...counts }: CompactResult): CompactResult {
  const deleted = vacuum ? { vacuum: numbers({ ...vacuum }) } : {}
  return { view, ...numbers(counts), ...deleted }
}

function numbers<T extends object>(counts: T): T {
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, Number(count)])) as T
}
