/** How many workers may still be started anew: a sliding minute, so that a rare crash a day is never the last straw. */
const WINDOW_MS = 60_000

export class RestartBudget {
  readonly #max: number
  #spentAtMs: number[] = []

  constructor(max: number) {
    this.#max = max
  }

  /** False, and nothing is spent, if `max` were spent within the minute before. */
  spend(nowMs: number): boolean {
    this.#spentAtMs = this.#spentAtMs.filter((spentMs) => nowMs - spentMs < WINDOW_MS)
    if (this.#spentAtMs.length >= this.#max) return false
    this.#spentAtMs.push(nowMs)
    return true
  }
}
