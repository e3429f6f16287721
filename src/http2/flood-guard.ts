/**
 * What a peer may make us do for nothing, as budgets: a bucket each that is full at first and fills up again with time.
 *
 * Known attacks consist of frames that are allowed one by one and cost the sender nothing: streams that are opened and reset at once
 * (CVE-2023-44487), frames that make us reset a stream (CVE-2025-8671), PING, SETTINGS, PRIORITY and empty frames (CVE-2019-9512
 * and its siblings). A peer that goes on after its bucket is empty is told ENHANCE_YOUR_CALM.
 */
import { ConnectionFault, ERROR } from './protocol.ts'

export interface FloodLimits {
  /** Streams that end by a reset, of either side: at once, and from then on per second. */
  readonly resetsBurst: number
  readonly resetsPerSecond: number
  /** PING, SETTINGS, PRIORITY, unknown frames, and DATA, HEADERS or CONTINUATION without content: at once, and per second. */
  readonly emptyFramesBurst: number
  readonly emptyFramesPerSecond: number
}

class Bucket {
  #left: number
  #filledMs: number
  readonly #burst: number
  readonly #perSecond: number

  constructor(burst: number, perSecond: number, nowMs: number) {
    this.#left = burst
    this.#filledMs = nowMs
    this.#burst = burst
    this.#perSecond = perSecond
  }

  /** False if there is nothing left to take. */
  take(nowMs: number): boolean {
    if (this.#left < 1) {
      this.#left = Math.min(this.#burst, this.#left + ((nowMs - this.#filledMs) * this.#perSecond) / 1000)
      this.#filledMs = nowMs
      if (this.#left < 1) return false
    }
    this.#left--
    return true
  }
}

export class FloodGuard {
  nowMs: number
  readonly #resets: Bucket
  readonly #emptyFrames: Bucket

  constructor(limits: FloodLimits, nowMs: number) {
    this.nowMs = nowMs
    this.#resets = new Bucket(limits.resetsBurst, limits.resetsPerSecond, nowMs)
    this.#emptyFrames = new Bucket(limits.emptyFramesBurst, limits.emptyFramesPerSecond, nowMs)
  }

  reset(): void {
    if (!this.#resets.take(this.nowMs)) throw calm('streams are reset faster than http2-resets-per-second allows')
  }

  emptyFrame(): void {
    if (!this.#emptyFrames.take(this.nowMs)) {
      throw calm('frames without content come faster than http2-empty-frames-per-second allows')
    }
  }
}

function calm(problem: string): ConnectionFault {
  return new ConnectionFault(ERROR.enhanceYourCalm, problem)
}
