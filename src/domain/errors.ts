/**
 * The one error class for a request's fault or an operating failure that ends a request.
 *
 * A programmer's mistake is an assertion instead, and an operating failure that concerns single keys is an outcome per
 * key (see `outcome.ts`), never an exception. Edges map `code` to their own status in one table.
 */
export const ERROR_CODES = [
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'FAILED_PRECONDITION',
  'RESOURCE_EXHAUSTED',
  'DEADLINE_EXCEEDED',
  'CANCELLED',
  'ABORTED',
  'UNAVAILABLE',
  'DATA_LOSS',
  'INTERNAL',
] as const

export type ErrorCode = (typeof ERROR_CODES)[number]

/** One fault of several in a request: where it is and what is wrong, in words for the person who sent it. */
export interface Fault {
  /** Path to the faulty item, for example `rows[3].mean_delay` or `views.airport_daily.ttl`. */
  readonly at: string
  readonly problem: string
}

export class TwinstoreError extends Error {
  readonly code: ErrorCode
  readonly faults: readonly Fault[]

  /** `message` says what was wrong, where, and what to do. `cause` is for the log only and is never sent to a client. */
  constructor(code: ErrorCode, message: string, options: { cause?: unknown; faults?: readonly Fault[] } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.name = 'TwinstoreError'
    this.code = code
    this.faults = options.faults ?? []
  }
}

/** The most faults that are spelled out in a message; the count of the rest is named. */
const FAULTS_SHOWN = 20

/** One error that reports every fault at once; `summary` opens the message. */
export function faultsError(code: ErrorCode, summary: string, faults: readonly Fault[]): TwinstoreError {
  const lines = faults.slice(0, FAULTS_SHOWN).map((fault) => `  ${fault.at}: ${fault.problem}`)
  if (faults.length > FAULTS_SHOWN) lines.push(`  ... and ${faults.length - FAULTS_SHOWN} more`)
  return new TwinstoreError(code, [summary, ...lines].join('\n'), { faults })
}

/** The error as a `TwinstoreError`; anything unforeseen becomes INTERNAL with the original as its cause. */
export function asTwinstoreError(error: unknown): TwinstoreError {
  if (error instanceof TwinstoreError) return error
  const detail = error instanceof Error ? error.message : String(error)
  return new TwinstoreError('INTERNAL', `internal error: ${detail}`, { cause: error })
}
