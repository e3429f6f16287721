/**
 * How many batches may be asked of a replica too: a token bucket that every batch sent fills by `percent` hundredths and every
 * hedge empties by one. So hedges add at most that share to the load, also when everything is slow, which is when
 * unbounded hedging would make it slower. Tokens beyond `BURST` are not kept: after hours without a hedge a stall may
 * not double the load for minutes.
 */
export interface HedgeBudget {
  /** A batch goes out. */
  earn(): void
  /** Whether a hedge may go out; it is then counted. */
  spend(): boolean
}

/** Ten batches: what a turn of the event loop sends to a stalled node that holds ten of sixteen shards. */
const BURST = 10

export function createHedgeBudget(percent: number): HedgeBudget {
  let hundredths = percent > 0 ? BURST * 100 : 0
  return {
    earn() {
      hundredths = Math.min(BURST * 100, hundredths + percent)
    },
    spend() {
      if (hundredths < 100) return false
      hundredths -= 100
      return true
    },
  }
}
