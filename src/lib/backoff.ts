export interface BackoffLimits {
  /** Delay before the first retry, milliseconds. */
  readonly minMs: number
  /** The longest delay between retries, milliseconds. */
  readonly maxMs: number
}

/**
 * The delay before retry number `failures` (from 1): doubling up to the maximum, of which `random` (0 to 1) takes up
 * to a half away, so that several processes do not retry in step.
 */
export function backoffMs(failures: number, limits: BackoffLimits, random: number): number {
  const full = Math.min(limits.maxMs, limits.minMs * 2 ** Math.min(failures - 1, 30))
  return full * (1 - random / 2)
}
