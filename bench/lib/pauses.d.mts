/** A line of what `pauses-preload.mjs` writes. */
export type PauseRecord = Readonly<Record<string, unknown>> & { readonly at: number }

export interface Percentiles {
  readonly count: number
  readonly p50_ms: number
  readonly p99_ms: number
  readonly max_ms: number
}

export function readPauses(file: string, pid: number): PauseRecord[]
export function collectionsIn(
  records: readonly PauseRecord[],
  fromMs: number,
  untilMs: number,
): Map<string, Percentiles & { readonly total_ms: number; readonly share_percent: number }>
export function loopDelaysIn(
  records: readonly PauseRecord[],
  fromMs: number,
  untilMs: number,
): Percentiles & { readonly p999_ms: number }
export function memoryIn(
  records: readonly PauseRecord[],
  fromMs: number,
  untilMs: number,
  alive: boolean,
): PauseRecord[]
