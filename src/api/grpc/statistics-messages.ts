/** The messages of the Statistics method, as proto-loader takes and gives them. */
import type {
  DocumentNumbers,
  DocumentWindow,
  FeatureStatistics,
  StatisticsDocument,
} from '../../statistics/statistics-document.ts'
import type { StatisticsCall } from '../statistics-handler.ts'
import { optionalBigInt } from './offline-messages.ts'

export interface StatisticsMessage {
  readonly views: readonly string[]
  readonly fromMicros?: string
  readonly untilMicros?: string
  readonly referenceFromMicros?: string
  readonly referenceUntilMicros?: string
  readonly kept: number
}

export function statisticsCall(message: StatisticsMessage): StatisticsCall {
  return {
    views: message.views,
    kept: message.kept,
    ...optionalBigInt('fromMicros', message.fromMicros),
    ...optionalBigInt('untilMicros', message.untilMicros),
    ...optionalBigInt('referenceFromMicros', message.referenceFromMicros),
    ...optionalBigInt('referenceUntilMicros', message.referenceUntilMicros),
  }
}

export function viewMessage({ thresholds, recordedAt, ...document }: StatisticsDocument): object {
  return {
    ...document,
    ...thresholds,
    recordedMicros: micros(recordedAt),
    window: windowMessage(document.window),
    reference: windowMessage(document.reference),
    features: document.features.map(featureMessage),
  }
}

function windowMessage({ from, until, rows }: DocumentWindow): object {
  return { fromMicros: micros(from), untilMicros: micros(until), rows }
}

function featureMessage({ psi, drift, numbers, lengths, ...feature }: FeatureStatistics): object {
  return {
    ...feature,
    ...(psi === null ? {} : { psi }),
    drift: `DRIFT_${drift === null ? 'UNSPECIFIED' : drift.toUpperCase()}`,
    ...(numbers === undefined ? {} : { numbers: numbersMessage(numbers) }),
    ...(lengths === undefined ? {} : { lengths: numbersMessage(lengths) }),
  }
}

function numbersMessage({ min, max, mean, ...numbers }: DocumentNumbers): object {
  const known = Object.entries({ min, max, mean }).filter(([, value]) => value !== null)
  return { ...numbers, ...Object.fromEntries(known) }
}

function micros(time: string): number {
  return Date.parse(time) * 1000
}
