/** `Admin.Parity` without a transport: progress while views are compared, then of each view its faults and its result. */
import type { Clock } from '../lib/clock.ts'
import type { ParityMonitor, ParityRequest, ParityResult } from '../parity/parity-monitor.ts'
import type { Finding } from '../parity/tally.ts'
import type { CallContext } from './call-context.ts'
import { progressOf } from './progress-stream.ts'

export interface ParityHandlerParts {
  readonly parity: Pick<ParityMonitor, 'compare'>
  readonly clock: Clock
  readonly settings: { readonly progressIntervalMs: number }
}

export interface ParityCall extends Pick<ParityRequest, 'sample' | 'repair' | 'findingsMax'> {
  /** None: every view that is kept online. */
  readonly views: readonly string[]
}

export interface ParityProgress {
  readonly step: string
  readonly fraction?: number
}

export type ParityEvent =
  | { readonly kind: 'progress'; readonly view: string; readonly progress: ParityProgress }
  | { readonly kind: 'finding'; readonly view: string; readonly joinKeys: readonly string[]; readonly finding: Finding }
  | { readonly kind: 'result'; readonly result: ParityResult }

/** Views that were compared get their result also when another one failed; the failure comes last. */
export async function* compareViews(
  { parity, clock, settings }: ParityHandlerParts,
  { views, ...request }: ParityCall,
  { signal }: CallContext,
): AsyncGenerator<ParityEvent> {
  const results: ParityResult[] = []
  let failure: { readonly error: unknown } | undefined
  try {
    yield* progressOf<ParityEvent, unknown>(
      (report) =>
        parity.compare(views.length === 0 ? 'all' : views, {
          ...request,
          signal,
          onProgress: (view, progress) => report({ kind: 'progress', view, progress }),
          onResult: (result) => results.push(result),
        }),
      () => undefined,
      { clock, progressIntervalMs: settings.progressIntervalMs },
    )
  } catch (error) {
    failure = { error }
  }
  for (const result of results) {
    for (const finding of result.findings) {
      yield { kind: 'finding', view: result.view, joinKeys: result.joinKeys, finding }
    }
    yield { kind: 'result', result }
  }
  if (failure !== undefined) throw failure.error
}
