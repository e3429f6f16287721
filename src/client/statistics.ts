/** Statistics: how the values of views' features are spread, and how far they have drifted. */
import { micros } from './export.ts'
import { decodeMessage, encodeMessage, methodPath } from './protocol.ts'
import type { CallOptions, Transport } from './transport.ts'

export interface StatisticsOptions extends CallOptions {
  /** None: all that have rows. */
  readonly views?: readonly string[]
  /** Event time from (inclusive) and until (exclusive), of the rows that are described and of those they are compared with. */
  readonly from?: Date | bigint
  readonly until?: Date | bigint
  readonly referenceFrom?: Date | bigint
  readonly referenceUntil?: Date | bigint
  /** At most so many kept statistics of each view, newest first, instead of new ones. */
  readonly kept?: number
}

/** What each member means is said in proto/twinstore/v1/statistics.proto. */
export interface ViewStatistics {
  readonly view: string
  readonly viewVersion: number
  readonly tableVersion: number
  readonly fingerprint: string
  readonly recordedAt: Date
  readonly window: StatisticsWindow
  readonly reference: StatisticsWindow
  readonly exactQuantiles: boolean
  readonly shifting: number
  readonly drifted: number
  readonly features: readonly FeatureStatistics[]
}

export interface StatisticsWindow {
  readonly from: Date
  readonly until: Date
  readonly rows: number
}

export interface FeatureStatistics {
  readonly name: string
  readonly type: string
  readonly nulls: number
  readonly missing: number
  readonly distinct: number
  /** Undefined: there is nothing to compare with. */
  readonly psi: number | undefined
  readonly drift: 'stable' | 'shifting' | 'drifted' | undefined
  readonly numbers: NumberStatistics | undefined
  readonly lengths: NumberStatistics | undefined
  readonly top: readonly { readonly value: string; readonly count: number }[]
  readonly bins: {
    readonly upTo: readonly number[]
    readonly values: readonly string[]
    readonly counts: readonly number[]
    readonly referenceCounts: readonly number[]
  }
}

export interface NumberStatistics {
  readonly min: number | undefined
  readonly max: number | undefined
  readonly mean: number | undefined
  readonly quantiles: Readonly<Record<string, number>>
  readonly notFinite: number
}

export async function statistics(
  transport: Transport,
  options: StatisticsOptions = {},
): Promise<readonly ViewStatistics[]> {
  const { views = [], kept = 0, from, until, referenceFrom, referenceUntil } = options
  const request = encodeMessage('StatisticsRequest', {
    views,
    kept,
    ...(from === undefined ? {} : { fromMicros: micros(from) }),
    ...(until === undefined ? {} : { untilMicros: micros(until) }),
    ...(referenceFrom === undefined ? {} : { referenceFromMicros: micros(referenceFrom) }),
    ...(referenceUntil === undefined ? {} : { referenceUntilMicros: micros(referenceUntil) }),
  })
  const answer = await transport.unary(methodPath('Admin', 'Statistics'), request, options)
  return decodeMessage<{ readonly views: readonly ViewMessage[] }>('StatisticsResponse', answer).views.map(plainView)
}

/** As proto-loader gives it: 64-bit integers are decimal strings, what is not set is null or undefined. */
type Message<T> = { readonly [K in keyof T]: T[K] extends number ? number | string : T[K] }

interface ViewMessage extends Message<Omit<ViewStatistics, 'recordedAt' | 'window' | 'reference' | 'features'>> {
  readonly recordedMicros: string
  readonly window: WindowMessage
  readonly reference: WindowMessage
  readonly features: readonly FeatureMessage[]
}

interface WindowMessage {
  readonly fromMicros: string
  readonly untilMicros: string
  readonly rows: string
}

interface FeatureMessage {
  readonly name: string
  readonly type: string
  readonly nulls: string
  readonly missing: string
  readonly distinct: string
  readonly psi?: number
  readonly drift: string
  readonly numbers: NumbersMessage | null
  readonly lengths: NumbersMessage | null
  readonly top: readonly { readonly value: string; readonly count: string }[]
  readonly bins: {
    readonly upTo: readonly number[]
    readonly values: readonly string[]
    readonly counts: readonly string[]
    readonly referenceCounts: readonly string[]
  }
}

interface NumbersMessage {
  readonly min?: number
  readonly max?: number
  readonly mean?: number
  readonly quantiles: Readonly<Record<string, number>>
  readonly notFinite: string
}

function plainView(message: ViewMessage): ViewStatistics {
  return {
    view: message.view,
    viewVersion: Number(message.viewVersion),
    tableVersion: Number(message.tableVersion),
    fingerprint: message.fingerprint,
    recordedAt: time(message.recordedMicros),
    window: plainWindow(message.window),
    reference: plainWindow(message.reference),
    exactQuantiles: message.exactQuantiles,
    shifting: Number(message.shifting),
    drifted: Number(message.drifted),
    features: message.features.map(plainFeature),
  }
}

function plainWindow({ fromMicros, untilMicros, rows }: WindowMessage): StatisticsWindow {
  return { from: time(fromMicros), until: time(untilMicros), rows: Number(rows) }
}

function plainFeature({
  name,
  type,
  psi,
  drift,
  numbers,
  lengths,
  top,
  bins,
  ...counts
}: FeatureMessage): FeatureStatistics {
  const word = drift.replace('DRIFT_', '').toLowerCase()
  return {
    name,
    type,
    nulls: Number(counts.nulls),
    missing: Number(counts.missing),
    distinct: Number(counts.distinct),
    psi,
    drift: word === 'unspecified' ? undefined : (word as 'stable' | 'shifting' | 'drifted'),
    numbers: numbers === null ? undefined : plainNumbers(numbers),
    lengths: lengths === null ? undefined : plainNumbers(lengths),
    top: top.map(({ value, count }) => ({ value, count: Number(count) })),
    bins: {
      upTo: bins.upTo,
      values: bins.values,
      counts: bins.counts.map(Number),
      referenceCounts: bins.referenceCounts.map(Number),
    },
  }
}

function plainNumbers({ min, max, mean, quantiles, notFinite }: NumbersMessage): NumberStatistics {
  return { min, max, mean, quantiles, notFinite: Number(notFinite) }
}

function time(micros: string): Date {
  return new Date(Number(micros) / 1000)
}
