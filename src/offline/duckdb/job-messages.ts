/** What the server and a job process say to each other. Errors go as data: a structured clone keeps no `TwinstoreError`. */
import { type ErrorCode, type Fault, TwinstoreError } from '../../domain/errors.ts'
import type { JobKind, JobProgress } from '../engine.ts'
import type { Jobs } from '../jobs.ts'
import type { JobSettings } from './job.ts'

export type ToChild =
  | {
      readonly type: 'run'
      readonly id: number
      readonly kind: JobKind
      readonly input: Jobs[JobKind]['input']
      readonly settings: JobSettings
    }
  | { readonly type: 'cancel'; readonly id: number }

export type FromChild =
  | { readonly type: 'progress'; readonly id: number; readonly progress: JobProgress }
  | { readonly type: 'done'; readonly id: number; readonly output: Jobs[JobKind]['output'] }
  | { readonly type: 'failed'; readonly id: number; readonly error: ErrorData }

/** What the server says to the host of its job processes, which it numbers. */
export type ToHost =
  | { readonly type: 'start'; readonly process: number; readonly module: string; readonly nice: number }
  | { readonly type: 'post'; readonly process: number; readonly message: ToChild }
  | { readonly type: 'kill'; readonly process: number }

export type FromHost =
  | { readonly type: 'started'; readonly process: number; readonly pid: number }
  | { readonly type: 'heard'; readonly process: number; readonly message: FromChild }
  | { readonly type: 'ended'; readonly process: number; readonly why: string }

export interface ErrorData {
  readonly code: ErrorCode
  readonly message: string
  readonly faults: readonly Fault[]
  /** Of the original error, for the log. */
  readonly stack: string
}

export function errorData(error: TwinstoreError): ErrorData {
  const origin = error.cause instanceof Error ? error.cause : error
  return { code: error.code, message: error.message, faults: error.faults, stack: origin.stack ?? origin.message }
}

export function errorFromData(data: ErrorData): TwinstoreError {
  return new TwinstoreError(data.code, data.message, { faults: data.faults, cause: data.stack })
}
