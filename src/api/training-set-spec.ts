/** What GetTrainingSet is asked, message by message. */
import type { DatasetFormat, JoinMode } from '../offline/offline-store.ts'
import type { ResumeCall } from './resume-token.ts'

export interface TrainingSetSpec {
  readonly featureService: string
  readonly spineFormat?: SpineFormat
  readonly timestampColumn?: string
  readonly mode?: JoinMode
  readonly format?: DatasetFormat
  readonly pinJson?: string
  readonly spineSource?: string
  /** To go on with the training set of an earlier call of the same request. */
  readonly resume?: ResumeCall
}

export type SpineFormat = 'parquet' | 'csv' | 'arrow'
export type TrainingSetPart = { readonly spec: TrainingSetSpec } | { readonly spine: Uint8Array }
