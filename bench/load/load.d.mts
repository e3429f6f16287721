import type { Histogram } from 'hdr-histogram-js'

export type Order =
  | { readonly kind: 'inTurn'; readonly from?: number }
  | { readonly kind: 'uniform'; readonly seed: number }
  | { readonly kind: 'zipf'; readonly exponent: number; readonly seed: number; readonly drawSeed?: number }

export type Pace =
  | { readonly kind: 'closed'; readonly inFlight: number }
  | {
      readonly kind: 'open'
      readonly perSecond: number
      readonly arrivals: 'constant' | 'poisson'
      readonly seed: number
    }

export interface Kind {
  readonly path: string
  readonly requests: string
  readonly order?: Order
  readonly isStreamed?: boolean
  readonly answerBytesMin?: number
}

/** By its share of the calls of the pace, or in lanes of its own. */
export type MixedKind = Kind & { readonly name: string } & ({ readonly share: number } | { readonly lanes: number })

export interface Settings extends Partial<Kind> {
  readonly target: string
  readonly mix?: readonly MixedKind[]
  readonly pace: Pace
  readonly seconds: number
  readonly warmSeconds?: number
  readonly connections?: number
  readonly deadlineMs?: number
  readonly client?: 'lean' | 'stream' | 'grpc-js' | 'node-http2' | 'http1'
}

export interface Tally {
  readonly completed: number
  readonly failures: Readonly<Record<string, number>>
  readonly intended: Histogram
  readonly actual: Histogram
}

export interface Result extends Tally {
  readonly perSecond: number
  readonly calls: number
  readonly answerBytes: number
  readonly cpuSeconds: number
  readonly cpuShare: number
  readonly byName?: Readonly<Record<string, Tally>>
}

export interface Load {
  prepare(name: string, requests: readonly Buffer[]): Promise<void>
  run(settings: Settings): Promise<Result>
}

export function startLoad(defer: (close: () => unknown) => void): Promise<Load>

export function withoutFailures(result: Result): Result
