/** Parity: the two stores compared key by key; progress on the way, of each view its faults and its counts. */
import type { Progress } from './dataset.ts'
import { decodeMessage, encodeMessage, methodPath } from './protocol.ts'
import type { CallOptions, Transport } from './transport.ts'

export interface ParityOptions extends CallOptions {
  /** None: every view that is kept online. */
  readonly views?: readonly string[]
  /** One part, from 0, of so many about equal parts of the keys. Not given: all keys. */
  readonly sample?: { readonly parts: number; readonly part: number }
  /** Mends what is found. */
  readonly repair?: boolean
  /** Most faults of a view that are described; all are counted. */
  readonly findingsMax?: number
  readonly onProgress?: (view: string, progress: Progress) => void
}

export type ParityFaultKind = 'mismatch' | 'stale_online' | 'missing_online' | 'missing_offline' | 'unreadable'

export interface RowVersion {
  readonly eventTimestampMicros: bigint
  readonly writePosition: bigint
}

/** One key that the two stores do not agree on. */
export interface ParityFinding {
  readonly kind: ParityFaultKind
  /** Join-key values by name, an int64 in decimal. */
  readonly entity: Readonly<Record<string, string>>
  readonly entityText: string
  /** The version that is online, where there is a readable one. */
  readonly online?: RowVersion
  /** The newest version that history and outbox have, where there is one. */
  readonly offline?: RowVersion
  readonly differences: readonly { readonly feature: string; readonly online: string; readonly offline: string }[]
  readonly detail: string
  /** What was done about it; empty if nothing was. */
  readonly repaired: string
  readonly repairFailure: string
}

/** Keys of each class; proto/twinstore/v1/parity.proto says what they mean. */
export interface ParityCounts {
  readonly equal: number
  readonly pending: number
  readonly syncing: number
  readonly expired: number
  readonly notKept: number
  readonly unchecked: number
  readonly mismatch: number
  readonly staleOnline: number
  readonly missingOnline: number
  readonly missingOffline: number
  readonly unreadable: number
}

export interface ViewParityResult {
  readonly view: string
  readonly sampleParts: number
  readonly samplePart: number
  readonly tableVersion: number
  readonly keys: number
  readonly counts: ParityCounts
  /** Keys that did not agree at first sight and were looked at again. */
  readonly suspects: number
  readonly faults: number
  readonly repaired: number
  readonly findings: readonly ParityFinding[]
  /** Why some keys were not checked. */
  readonly problems: readonly string[]
  readonly seconds: number
}

/** The newest comparison of a view, by whichever instance. */
export interface ViewParityStatus {
  readonly view: string
  /** When it ended, milliseconds since 1970; 0: never compared. */
  readonly endedMillis: number
  readonly sampleParts: number
  readonly samplePart: number
  readonly keys: number
  /** Undefined: never compared. */
  readonly counts: ParityCounts | undefined
  readonly repaired: number
  /** Faults that are known and not mended, over the parts of the keys that were looked at. */
  readonly openFaults: number
  readonly partsSeen: number
  readonly parts: number
}

type VersionMessage = Readonly<Record<keyof RowVersion, string>> | null
type FindingMessage = Omit<ParityFinding, 'online' | 'offline'> & {
  readonly view: string
  readonly online: VersionMessage
  readonly offline: VersionMessage
}

interface ParityMessage {
  readonly progress?: { readonly view: string; readonly progress: Progress }
  readonly finding?: FindingMessage
  /** Its 64-bit counts are decimal strings. */
  readonly result?: Omit<ViewParityResult, 'findings'>
}

export async function compareTwins(
  transport: Transport,
  options: ParityOptions = {},
): Promise<readonly ViewParityResult[]> {
  const { views = [], sample, repair = false, findingsMax = 0 } = options
  const request = encodeMessage('ParityRequest', {
    views,
    repair,
    findingsMax,
    sampleParts: sample?.parts ?? 0,
    samplePart: sample?.part ?? 0,
  })
  const call = transport.serverStream(methodPath('Admin', 'Parity'), request, options)
  const results: ViewParityResult[] = []
  let findings: ParityFinding[] = []
  try {
    for await (const bytes of call) {
      const { progress, finding, result } = decodeMessage<ParityMessage>('ParityResponse', bytes as Buffer)
      if (progress) options.onProgress?.(progress.view, progress.progress)
      if (finding) findings.push(findingOf(finding))
      if (!result) continue
      results.push(resultOf(result, findings))
      findings = []
    }
  } catch (error) {
    throw transport.error(error)
  }
  return results
}

/** proto-loader gives 64-bit counts as decimal strings, and an unset message as null. */
export function plainParity(message: ViewParityStatus): ViewParityStatus {
  return {
    ...message,
    endedMillis: Number(message.endedMillis),
    keys: Number(message.keys),
    counts: message.counts ? parityCounts(message.counts) : undefined,
    repaired: Number(message.repaired),
    openFaults: Number(message.openFaults),
  }
}

function parityCounts(counts: ParityCounts): ParityCounts {
  return Object.fromEntries(
    Object.entries(counts).map(([kind, keys]) => [kind, Number(keys)]),
  ) as unknown as ParityCounts
}

function findingOf({ view: _, online, offline, ...finding }: FindingMessage): ParityFinding {
  return { ...finding, ...versionOf('online', online), ...versionOf('offline', offline) }
}

function versionOf<K extends string>(name: K, version: VersionMessage): { readonly [P in K]?: RowVersion } {
  if (version === null) return {}
  const { eventTimestampMicros, writePosition } = version
  const value = { eventTimestampMicros: BigInt(eventTimestampMicros), writePosition: BigInt(writePosition) }
  return { [name]: value } as { [P in K]: RowVersion }
}

function resultOf(result: Omit<ViewParityResult, 'findings'>, findings: readonly ParityFinding[]): ViewParityResult {
  return {
    ...result,
    tableVersion: Number(result.tableVersion),
    keys: Number(result.keys),
    counts: parityCounts(result.counts),
    suspects: Number(result.suspects),
    faults: Number(result.faults),
    repaired: Number(result.repaired),
    findings,
  }
}
