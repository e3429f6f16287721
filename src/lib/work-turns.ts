/**
 * Long work on the event loop, cut into turns: between two of them everything else that waits gets its own.
 *
 * A piece of work asks `isOver` at points where it may stop (a look at the clock, 50 ns) and then awaits `next`. Of all
 * that wait for their next turn one gets it in each round of the loop, in the order they came: ten large requests at once do not add their turns
 * up to one that is ten times as long. Time, not bytes or rows: what a row costs differs by a factor of a hundred.
 */
import type { Clock } from './clock.ts'

export interface WorkTurn {
  /** Whether the turn has lasted as long as it may. */
  readonly isOver: boolean
  /** Lets others run; the next turn has begun when it resolves. */
  next(): Promise<void>
}

export class WorkTurns {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #turnMsMax: number
  readonly #waiting: (() => void)[] = []

  constructor(clock: Pick<Clock, 'monotonicMs'>, turnMsMax: number) {
    this.#clock = clock
    this.#turnMsMax = turnMsMax
  }

  /** The first turn of a piece of work, which begins now. */
  begin(): WorkTurn {
    const clock = this.#clock
    const turnMsMax = this.#turnMsMax
    let endsAtMs = clock.monotonicMs() + turnMsMax
    return {
      get isOver() {
        return clock.monotonicMs() >= endsAtMs
      },
      next: async () => {
        await this.#wait()
        endsAtMs = clock.monotonicMs() + turnMsMax
      },
    }
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.push(resolve) === 1) setImmediate(this.#giveTurn)
    })
  }

  readonly #giveTurn = (): void => {
    this.#waiting.shift()?.()
    // One set in an immediate runs in the next round.
    if (this.#waiting.length > 0) setImmediate(this.#giveTurn)
  }
}
