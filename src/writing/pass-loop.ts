/** When the archiver makes a pass: one at a time, at once when somebody asks, else after a delay. */
import type { Clock } from '../lib/clock.ts'

export interface PassLoopParts {
  readonly clock: Pick<Clock, 'after'>
  /** Never rejects. */
  readonly pass: () => Promise<void>
  /** How long nothing needs doing, from now. */
  readonly delayMs: () => number
}

export class PassLoop {
  readonly #parts: PassLoopParts
  #isRunning = false
  #timer: { cancel(): void } | undefined
  #passing = false
  #passWanted = false

  constructor(parts: PassLoopParts) {
    this.#parts = parts
  }

  get isRunning(): boolean {
    return this.#isRunning
  }

  start(): void {
    this.#isRunning = true
    this.wake()
  }

  /** A pass under way still ends. */
  stop(): void {
    this.#isRunning = false
    this.#timer?.cancel()
  }

  /** Starts a pass now, or right after the one under way. */
  wake(): void {
    if (!this.#isRunning) return
    this.#passWanted = true
    if (!this.#passing) void this.#run()
  }

  /** Sets the timer for what is due next; after a pass that is done anyway. */
  arm(): void {
    if (this.#passing || !this.#isRunning) return
    this.#timer?.cancel()
    this.#timer = this.#parts.clock.after(this.#parts.delayMs(), () => this.wake())
  }

  async #run(): Promise<void> {
    this.#passing = true
    this.#timer?.cancel()
    while (this.#passWanted && this.#isRunning) {
      this.#passWanted = false
      await this.#parts.pass()
    }
    this.#passing = false
    this.arm()
  }
}
