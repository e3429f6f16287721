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

/** A bucket is kept as the time at which it will be full again: a number is all that an idle connection has of it. */
export class FloodGuard {
  nowMs: number
  readonly #limits: FloodLimits
  #resetsFullMs: number
  #emptyFramesFullMs: number

  constructor(limits: FloodLimits, nowMs: number) {
    this.#limits = limits
    this.nowMs = nowMs
    this.#resetsFullMs = nowMs
    this.#emptyFramesFullMs = nowMs
  }

  reset(): void {
    const { resetsBurst, resetsPerSecond } = this.#limits
    this.#resetsFullMs = afterOne(this.#resetsFullMs, resetsPerSecond, this.nowMs)
    if (isOverdrawn(this.#resetsFullMs, resetsBurst, resetsPerSecond, this.nowMs)) {
      throw calm('streams are reset faster than is allowed', 'http2-resets-per-second')
    }
  }

  emptyFrame(): void {
    const { emptyFramesBurst, emptyFramesPerSecond } = this.#limits
    this.#emptyFramesFullMs = afterOne(this.#emptyFramesFullMs, emptyFramesPerSecond, this.nowMs)
    if (isOverdrawn(this.#emptyFramesFullMs, emptyFramesBurst, emptyFramesPerSecond, this.nowMs)) {
      throw calm('frames without content come faster than is allowed', 'http2-empty-frames-per-second')
    }
  }
}

/** When the bucket is full again after one more was taken from it. */
function afterOne(fullMs: number, perSecond: number, nowMs: number): number {
  return Math.max(fullMs, nowMs) + 1000 / perSecond
}

/** More than was in it has been taken. Half of one is let pass: times add up with rounding errors. */
function isOverdrawn(fullMs: number, burst: number, perSecond: number, nowMs: number): boolean {
  return fullMs - nowMs > ((burst + 0.5) * 1000) / perSecond
}

function calm(problem: string, option: string): ConnectionFault {
  return new ConnectionFault(ERROR.enhanceYourCalm, problem, option)
}
